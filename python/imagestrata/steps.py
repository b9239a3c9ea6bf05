"""List the files that each step leaves in a run folder.

A step is declared beside its verb: each folder of the road that has steps lists them as ``STEPS``
in its ``steps.py``. These modules import nothing else, so that all steps are known without loading
the code that runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class StepKind:
    """A step and its files in a run folder.

    Files are named by patterns, relative to the run folder.

    Attributes
    ----------
    name : str
        Name of the step in ``run.json``.
    verb : str
        Name of the public function that runs the step.
    product : str
        The file that every finished step has.
    after : tuple of str
        Steps whose results it may use. If an older version did not record which one, it is the
        first.
    tables : tuple of str
        Its tables. If the step is replaced, they move together with the results that use it.
    work : tuple of str
        Files that annotators or coders fill in: they are always moved, never removed.
    drawn : tuple of str
        Figures and pages, which the same command draws again: they are removed.
    waits : bool
        Whether a replaced step may return the same result, for instance because files only moved.
        Results that use it then remain until the new result is known.
    reuses : bool
        Whether the step uses its earlier figures when it runs again.
    edits : str
        The step whose result it changes: later steps use the edited result in its place.
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
    edits: str = ""


@cache
def step_kinds() -> dict[str, StepKind]:
    """All steps by name, each behind the steps whose results it may use."""
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
