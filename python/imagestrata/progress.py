"""Show the progress of long work in the terminal, in notebooks, in logs, in R and to programs."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .errors import ImagestrataError
from .wording import arg, quote

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task
    from rich.text import Text


@dataclass(frozen=True)
class Reporter:
    """A function that gets the whole :class:`State` of a step instead of three numbers."""

    report: Callable[[State], None]


#: ``True`` draws a bar on a terminal, updates one line in a notebook and otherwise (in a log file)
#: writes a line from time to time: how much is done, how much in a second, and how long the rest
#: takes at the pace of the last half minute. ``False`` is silent. A function is called as
#: ``f(step, done, total)``, always from the thread that called the verb. :func:`json_lines` writes
#: JSON for programs.
#: In every case, the logger ``"imagestrata"`` receives the beginning and the end of each step.
Progress: TypeAlias = bool | Callable[[str, int, int | None], None] | Reporter

#: Seconds between two updates of a line in a notebook, between two lines for programs, and the
#: fewest seconds between two lines of a log. Later lines of a log are further apart, by a tenth of
#: the time that has passed, so that the log of a day fits on a page.
_NOTEBOOK_EVERY, _JSON_EVERY, _LOG_EVERY = 0.5, 1.0, 10.0

#: The pace is that of the last seconds, and at least of so many advances.
_WINDOW, _LEAST = 30.0, 10

#: The fewest seconds between two points in time of which the pace is remembered; and the seconds
#: after which there is a pace.
_RESOLUTION, _FIRST = 0.1, 0.5

_log = logging.getLogger("imagestrata")


@contextmanager
def track(
    progress: Progress, step: str, total: int | None, unit: str = ""
) -> Iterator[Callable[..., None]]:
    """Yield ``advance(n=1, already=False)``, which the caller calls when n units are done.

    Units that an earlier call has done are ``already`` done: they say nothing about the pace.

    Parameters
    ----------
    progress : bool, callable or Reporter
        See :data:`Progress`.
    step : str
        The name that users see: "Scanning", "Embedding".
    total : int or None
        The number of units; None if it is not known beforehand.
    unit : str
        The plural of a unit whose number in a second is shown: "images".
    """
    _log.info("%s: begun", step)
    state = State(step, total, unit)
    if progress is False:
        yield state.advance
    elif progress is True:
        with _shown(state) as advance:
            yield advance
    elif isinstance(progress, Reporter) or callable(progress):
        report = progress.report if isinstance(progress, Reporter) else _three(progress)
        report(state)

        def call(n: int = 1, *, already: bool = False) -> None:
            state.advance(n, already=already)
            report(state)

        yield call
        if isinstance(progress, Reporter):
            state.ended = True
            report(state)
    else:
        raise ImagestrataError(
            f"{arg('progress')} must be {quote(True)}, {quote(False)} or a function, "
            f"not {quote(progress)}."
        )
    _log.info("%s: done", step)


def _three(report: Callable[[str, int, int | None], None]) -> Callable[[State], None]:
    return lambda state: report(state.step, state.done, state.total)


def json_lines() -> Reporter:
    """Write progress to standard error for programs: one JSON object per line.

    Each step has a line when it begins, about one a second, and one when it ends.
    """
    due = 0.0

    def report(state: State) -> None:
        nonlocal due
        now = time.monotonic()
        if not state.done or state.ended or now >= due:
            due = now + _JSON_EVERY
            _write(json.dumps(state.as_dict()) + "\n")

    return Reporter(report)


@contextmanager
def _shown(state: State) -> Iterator[Callable[..., None]]:
    from rich.console import Console

    console = Console(file=sys.stderr)
    if console.is_terminal and not console.is_jupyter:
        with _bar(console, state) as advance:
            yield advance
        return
    # A notebook shows one line that is rewritten, which needs no extension; a log gets new lines.
    begin, end = ("\r", "") if console.is_jupyter else ("", "\n")
    due = state.start + (_NOTEBOOK_EVERY if console.is_jupyter else _LOG_EVERY)
    width = 0

    def write(text: str) -> None:
        nonlocal width
        # Spaces cover the longest text before it.
        width = max(width, len(text)) if console.is_jupyter else 0
        _write(f"{begin}{text.ljust(width)}{end}")

    if console.is_jupyter:
        write(str(state))

    def advance_line(n: int = 1, *, already: bool = False) -> None:
        nonlocal due
        state.advance(n, already=already)
        if time.monotonic() >= due:
            write(str(state))
            pause = max(_LOG_EVERY, (time.monotonic() - state.start) / 10)
            due = time.monotonic() + (_NOTEBOOK_EVERY if console.is_jupyter else pause)

    yield advance_line
    write(f"{state.step}: done")
    if console.is_jupyter:
        _write("\n")


@contextmanager
def _bar(console: Console, state: State) -> Iterator[Callable[..., None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class PaceColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(state.pace())

    columns = [
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        PaceColumn(Column(no_wrap=True)),  # where there is no space, the bar gets shorter
    ]
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(state.step, total=state.total)

        def advance(n: int = 1, *, already: bool = False) -> None:
            state.advance(n, already=already)
            bar.update(task, completed=state.done)

        yield advance


class State:
    """The progress of a step, and its pace.

    Parameters
    ----------
    step : str
    total : int or None
    unit : str

    Attributes
    ----------
    done : int
        Units that are done, also by an earlier call.
    ended : bool
        Whether the step has ended.
    start : float
        When the step began.
    """

    def __init__(self, step: str, total: int | None, unit: str = "") -> None:
        self.step, self.total, self.unit, self.done = step, total, unit, 0
        self.ended = False
        self.start = self._begun = time.monotonic()
        self._made = 0
        #: Moments, with the units that this call had done.
        self._marks = deque([(self.start, 0)])

    def advance(self, n: int = 1, *, already: bool = False) -> None:
        """Note that n units are done, or were already done by an earlier call."""
        self.done += n
        now = time.monotonic()
        if already:
            if not self._made:  # reading them took time, too
                self._begun = now
                self._marks = deque([(now, 0)])
            return
        self._made += n
        if now - self._marks[-1][0] >= _RESOLUTION:
            self._marks.append((now, self._made))
        while len(self._marks) > _LEAST + 1 and self._marks[1][0] <= now - _WINDOW:
            self._marks.popleft()

    @property
    def per_second(self) -> float | None:
        """Units done in a second of late, at the end of the step in all; None if not yet known."""
        begun, before = (self._begun, 0) if self.ended else self._marks[0]
        seconds = time.monotonic() - begun
        known = self._made > before and seconds >= (0 if self.ended else _FIRST)
        return (self._made - before) / seconds if known and seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at this pace; None if not known."""
        if self.ended:
            return 0.0
        pace = self.per_second
        left = None if self.total is None else max(0, self.total - self.done)
        return None if left is None or pace is None else left / pace

    def pace(self) -> str:
        """The pace and the time that is left, as text: "312 images/s, 0:48 left"."""
        pace, left = self.per_second, self.seconds_left
        return ", ".join([
            *([_per_time(pace, self.unit)] if pace and self.unit else []),
            *([f"{_duration(left)} left"] if left else []),
        ])  # fmt: skip

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        pace = self.pace()
        return f"{self.step}: {self.done:,}{of}{pace and f', {pace}'}"

    def as_dict(self) -> dict[str, str | float | None]:
        """The state for programs."""
        pace, left = self.per_second, self.seconds_left
        return {
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "per_second": None if pace is None else float(f"{pace:.4g}"),
            "seconds_left": None if left is None else round(left),
        }


def _per_time(per_second: float, unit: str) -> str:
    """A pace in the unit of time in which it is at least 1: "312 images/s", "2.5 images/min"."""
    paces = {"s": per_second, "min": 60 * per_second, "h": 3600 * per_second}
    time, number = next((one for one in paces.items() if one[1] >= 0.95), ("h", paces["h"]))
    return f"{number:,.0f} {unit}/{time}" if number >= 9.95 else f"{number:.1f} {unit}/{time}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _write(text: str) -> None:
    if sys.stderr is not None:  # Windows programs without a console have none
        with suppress(OSError):  # a full disk must not end the work
            sys.stderr.write(text)
            sys.stderr.flush()
