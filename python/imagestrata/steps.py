"""What each step of the road of the data leaves in a run folder.

A step declares itself beside its verb: a folder of the road that has steps lists them as
``STEPS`` in its ``steps.py``, which imports nothing else, so that whoever looks at a run
folder knows all steps without loading what makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class StepKind:
    """A step, and which files of a run folder are its own.

    Files are named by patterns, relative to the run folder.

    Attributes
    ----------
    name : str
        As ``run.json`` calls it.
    verb : str
        The public function that makes it.
    product : str
        The file by which a finished step is known to be there.
    after : tuple of str
        Steps that it may be made from; the first is the one that it was made from where an
        older version did not record it.
    tables : tuple of str
        What it leaves: of a step that is replaced, moved together with what was built on it.
    work : tuple of str
        What people work with: always moved, never removed.
    drawn : tuple of str
        What the same command draws again: removed.
    waits : bool
        It may well find the same again when it is replaced, because files moved, say: what
        was built on it waits until that is known.
    reuses : bool
        What it has drawn is used when it is made again.
    """

    name: str
    verb: str
    product: str
    after: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    waits: bool = False
    reuses: bool = False


@cache
def step_kinds() -> dict[str, StepKind]:
    """All steps by name, each behind those that it may be made from."""
    kinds: dict[str, StepKind] = {}
    for file in sorted(Path(__file__).parent.glob("*/steps.py")):
        module = import_module(f".{file.parent.name}.steps", __package__)
        kinds |= {kind.name: kind for kind in module.STEPS}
    ordered: dict[str, StepKind] = {}

    def add(name: str) -> None:
        for base in kinds[name].after:
            add(base)
        ordered[name] = kinds[name]

    for name in kinds:
        add(name)
    return ordered
