"""Show the progress of long work in the terminal, in notebooks, in logs and in R."""

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

#: ``True`` draws a bar on a terminal, updates one line in a notebook and otherwise (in a log file)
#: writes a line from time to time. ``False`` is silent. A function is called as
#: ``f(step, done, total)``, always from the thread that called the verb.
#: In every case, the logger ``"imagestrata"`` receives the beginning and the end of each step.
Progress: TypeAlias = bool | Callable[[str, int, int | None], None]

#: Seconds between two updates of a line in a notebook, and the fewest seconds between two lines of
#: a log. Later lines of a log are further apart, by a tenth of the time that has passed, so that
#: the log of a day fits on a page.
_NOTEBOOK_EVERY, _LOG_EVERY = 0.5, 10.0

_log = logging.getLogger("imagestrata")


@contextmanager
def track(progress: Progress, step: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Yield ``advance(n=1)``, which the caller calls when n units are done.

    Parameters
    ----------
    progress : bool or callable
        See :data:`Progress`.
    step : str
        The name that users see: "Scanning", "Embedding".
    total : int or None
        The number of units; None if it is not known beforehand.
    """
    _log.info("%s: begun", step)
    if progress is False:
        yield lambda n=1: None
    elif progress is True:
        with _shown(step, total) as advance:
            yield advance
    elif callable(progress):
        state, report = _State(step, total), progress
        report(step, 0, total)

        def call(n: int = 1) -> None:
            state.done += n
            report(step, state.done, total)

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
    if console.is_terminal and not console.is_jupyter:
        with _bar(console, step, total) as advance:
            yield advance
        return
    # A notebook shows one line that is rewritten, which needs no extension; a log gets new lines.
    begin, end = ("\r", "") if console.is_jupyter else ("", "\n")
    state = _State(step, total)
    due = state.start + (_NOTEBOOK_EVERY if console.is_jupyter else _LOG_EVERY)
    if console.is_jupyter:
        _write(f"\r{state}")

    def advance_line(n: int = 1) -> None:
        nonlocal due
        state.done += n
        if time.monotonic() >= due:
            _write(f"{begin}{state if console.is_jupyter else str(state).rstrip()}{end}")
            pause = max(_LOG_EVERY, state.seconds() / 10)
            due = time.monotonic() + (_NOTEBOOK_EVERY if console.is_jupyter else pause)

    yield advance_line
    _write(f"{begin}{state.end() if console.is_jupyter else f'{step}: done'}\n")


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


class _State:
    """The progress of a step, as text for users."""

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
        """The text with spaces that cover the longest text before it."""
        self._width = max(self._width, len(text))
        return text.ljust(self._width)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _write(text: str) -> None:
    if sys.stderr is not None:  # Windows programs without a console have none
        with suppress(OSError):  # a full disk must not end the work
            sys.stderr.write(text)
            sys.stderr.flush()
