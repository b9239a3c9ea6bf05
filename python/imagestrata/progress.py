"""Progress of long work: one convention for the terminal, for notebooks and for R."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from .errors import ImagestrataError
from .wording import arg, quote

#: ``True`` draws a bar on a terminal (and prints one line per step elsewhere),
#: ``False`` is silent, and a function is called as ``f(step, done, total)`` from
#: the thread that called the verb, never from another.
Progress: TypeAlias = bool | Callable[[str, int, int | None], None]


@contextmanager
def track(progress: Progress, step: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Yield ``advance(n=1)``, to be called as work gets done.

    Parameters
    ----------
    progress : bool or callable
        See :data:`Progress`.
    step : str
        What is going on, for people: "Scanning", "Embedding".
    total : int or None
        How many units there are; None when it cannot be known beforehand.
    """
    if progress is False:
        yield lambda n=1: None
    elif progress is True:
        with _bar(step, total) as advance:
            yield advance
    elif callable(progress):
        done = 0
        report = progress
        report(step, 0, total)

        def call(n: int = 1) -> None:
            nonlocal done
            done += n
            report(step, done, total)

        yield call
    else:
        raise ImagestrataError(
            f"{arg('progress')} must be {quote(True)}, {quote(False)} or a function, not "
            f"{quote(progress)}."
        )


@contextmanager
def _bar(step: str, total: int | None) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda n=1: None
        console.print(f"{step}: done", highlight=False)
        return
    columns = [
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    ]
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(step, total=total)
        yield lambda n=1: bar.update(task, advance=n)
