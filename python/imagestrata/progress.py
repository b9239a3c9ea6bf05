"""Progress of long work: one convention for the terminal, for notebooks, for logs and for R."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from .errors import ImagestrataError
from .wording import arg, quote

if TYPE_CHECKING:
    from rich.console import Console

#: ``True`` draws a bar on a terminal, keeps a line up to date in a notebook and writes a line
#: now and then elsewhere (a log file), ``False`` is silent, and a function is called as
#: ``f(step, done, total)`` from the thread that called the verb, never from another.
#: Whatever it is, the logger ``"imagestrata"`` is told when steps begin and end.
Progress: TypeAlias = bool | Callable[[str, int, int | None], None]

#: Seconds between two states of a line in a notebook, and at least between two lines of a log;
#: later a tenth of the time that has passed, so that a log of a day is no longer than a page.
_NOTEBOOK_EVERY, _LOG_EVERY = 0.5, 10.0

_log = logging.getLogger("imagestrata")


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
    _log.info("%s: begun", step)
    if progress is False:
        yield lambda n=1: None
    elif progress is True:
        with _shown(step, total) as advance:
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
            f"{arg('progress')} must be {quote(True)}, {quote(False)} or a function, "
            f"not {quote(progress)}."
        )
    _log.info("%s: done", step)


@contextmanager
def _shown(step: str, total: int | None) -> Iterator[Callable[..., None]]:
    from rich.console import Console

    console = Console(file=sys.stderr)
    if console.is_jupyter:
        with _line_of_notebook(step, total) as advance:
            yield advance
    elif console.is_terminal:
        with _bar(console, step, total) as advance:
            yield advance
    else:
        with _lines_of_log(step, total) as advance:
            yield advance


@contextmanager
def _bar(console: Console, step: str, total: int | None) -> Iterator[Callable[..., None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

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


@contextmanager
def _line_of_notebook(step: str, total: int | None) -> Iterator[Callable[..., None]]:
    """One line that is written anew: every notebook shows it, without any extension."""
    state = _State(step, total)
    _write(f"\r{state}")
    due = state.start + _NOTEBOOK_EVERY

    def advance(n: int = 1) -> None:
        nonlocal due
        state.done += n
        if time.monotonic() >= due:
            _write(f"\r{state}")
            due = time.monotonic() + _NOTEBOOK_EVERY

    yield advance
    _write(f"\r{state.end()}\n")


@contextmanager
def _lines_of_log(step: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A line now and then while work takes long, and one in the end."""
    state = _State(step, total)
    due = state.start + _LOG_EVERY

    def advance(n: int = 1) -> None:
        nonlocal due
        state.done += n
        if time.monotonic() >= due:
            _write(f"{str(state).rstrip()}\n")
            due = time.monotonic() + max(_LOG_EVERY, state.seconds() / 10)

    yield advance
    _write(f"{step}: done\n")


class _State:
    """How far a step is, for people."""

    def __init__(self, step: str, total: int | None) -> None:
        self.step, self.total, self.done = step, total, 0
        self.start = time.monotonic()
        self._width = 0

    def seconds(self) -> float:
        return time.monotonic() - self.start

    def __str__(self) -> str:
        if self.total is None:
            return self._padded(f"{self.step}: {self.done:,}")
        text = f"{self.step}: {self.done:,} of {self.total:,}"
        if 0 < self.done < self.total:
            left = self.seconds() * (self.total - self.done) / self.done
            text += f", {_duration(left)} left"
        return self._padded(text)

    def end(self) -> str:
        return self._padded(f"{self.step}: done")

    def _padded(self, text: str) -> str:
        """Long enough to cover what stood there before."""
        self._width = max(self._width, len(text))
        return text.ljust(self._width)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _write(text: str) -> None:
    if sys.stderr is not None:  # Windows programs without a console have none
        with suppress(OSError):  # a full disk does not end the work
            sys.stderr.write(text)
            sys.stderr.flush()
