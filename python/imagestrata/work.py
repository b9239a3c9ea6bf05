"""Work on all items of a step: many at a time, in order, with progress, resumable.

All steps that look at every image work in the same way. They call a function on each item, in
threads of this process or on the workers of a cluster; they take the results in the order of the
items; and they show progress. If nothing can be made of an item, its result is the reason, and the
work continues. Results that are stored in parts survive an interruption: the same call continues
with the first part that is missing::

    with open_work("Reading", len(files), progress, engine) as work:
        for result in work.each(read, files):  # one result after the other, or
            ...
        table = work.in_parts(read, files, parts, 64, as_table)  # a table, stored part by part

Leaving the block ends the work, also by an error or Ctrl-C: items that were not begun are dropped,
and those that were begun are waited for. The number of items that are ahead of the result in hand
is limited, and so is memory.

Where the function runs is decided in :mod:`~imagestrata.engine`, a module of its own since passes
over the rows of a matrix (:mod:`~imagestrata.rows`) use it without items, parts and progress.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from threading import Event
from typing import Any, TypeVar

import pyarrow as pa

from .engine import MOST_THREADS, Engine, open_engine, open_threads
from .errors import plural, warn
from .files import Parts, part_name
from .progress import Progress, track

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class ItemError(Exception):
    """Nothing can be made of one item; the work on the others continues.

    Parameters
    ----------
    reason : str
        Why, as the row of the item says it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Stopped(Exception):
    """Raised by a function that gives its item up because the work has ended."""


@dataclass(frozen=True)
class Failed:
    """The result of an item whose function raised :class:`ItemError`."""

    reason: str


@contextmanager
def open_work(
    step: str,
    total: int,
    progress: Progress,
    engine: Any = None,
    *,
    unit: str = "images",
    most_threads: int = MOST_THREADS,
    waiting_threads: int | None = None,
    stop: Event | None = None,
    files: Iterable[str | os.PathLike[str]] = (),
) -> Iterator[Work]:
    """Yield a :class:`Work` that calls functions on the items of a step.

    Parameters
    ----------
    step : str
        The name that progress shows: "Scanning", "Embedding".
    total : int
        The number of images or texts in all.
    progress : bool or callable
        See :data:`~imagestrata.progress.Progress`.
    engine : Client, str or Engine, optional
        See :func:`~imagestrata.engine.open_engine`.
    unit : str
        What progress counts in a second.
    most_threads : int
        Without a cluster: the largest number of threads that compute.
    waiting_threads : int, optional
        The number of threads, instead of one per core, for work that mostly waits for a service or
        a disk. A cluster is then not used.
    stop : Event, optional
        Is set when an error ends the work, for functions that wait for something.
    files : iterable of path
        Files that every worker must see.
    """
    opened = (
        open_engine(engine, most_threads=most_threads)
        if waiting_threads is None
        else open_threads(waiting_threads, stop)
    )
    with opened as workers:
        for file in files:
            workers.check_file(file)
        with track(progress, step, total, unit) as advance:
            yield Work(workers, advance, stop)


class Work:
    """Calls functions on items; :func:`open_work` makes it."""

    def __init__(self, engine: Engine, advance: Callable[..., None], stop: Event | None) -> None:
        self._advance = advance
        self._engine = engine
        self._stop = stop

    def each(
        self,
        make: Callable[[_Item], _Result],
        items: Iterable[_Item],
        *,
        at_once: int = 1,
        size: Callable[[_Item], int] = lambda _: 1,
    ) -> Iterator[_Result | Failed]:
        """The result of ``make`` for each item, or a :class:`Failed`, in the order of the items.

        Parameters
        ----------
        make : callable
            For a cluster a function of a module, or a ``partial`` of one. If it raises
            :class:`ItemError`, the work continues; any other error ends the work and is raised
            here when the item's turn comes.
        items : iterable
        at_once : int
            The number of items that go to a worker of a cluster together.
        size : callable
            The number of images or texts in an item, for progress.
        """
        sizes: deque[int] = deque()

        def measured() -> Iterator[_Item]:
            for item in items:
                sizes.append(size(item))
                yield item

        attempt = partial(_attempt, make, self._stop)
        for result in self._engine.map(attempt, measured(), at_once=at_once):
            self._advance(sizes.popleft())
            if result is not None:  # else a later item has the error that ended the work
                yield result[0]

    def skip(self, n: int) -> None:
        """Show that n images or texts were done by an earlier call."""
        if n:
            self._advance(n, already=True)

    def blocks(
        self,
        make: Callable[[_Item], _Result],
        blocks: Iterable[Sequence[_Item]],
        *,
        size: Callable[[_Item], int] = lambda _: 1,
    ) -> Iterator[tuple[Sequence[_Item], list[Any]]]:
        """Each block with the results of its items, block after block.

        Work continues while the caller stores a block, and few blocks are read ahead. The items
        of a block go to a worker of a cluster together.
        """
        rest = iter(blocks)
        first = next(rest, None)
        if first is None:
            return
        ahead: deque[Sequence[_Item]] = deque()

        def items() -> Iterator[_Item]:
            for block in chain([first], rest):
                ahead.append(block)
                yield from block

        results = self.each(make, items(), at_once=len(first), size=size)
        for result in results:
            block = ahead.popleft()
            yield block, [result, *islice(results, len(block) - 1)]

    def in_parts(
        self,
        make: Callable[[_Item], _Result],
        items: Sequence[_Item],
        parts: Parts | None,
        part_size: int,
        as_table: Callable[[Sequence[_Item], list[Any]], pa.Table],
        *,
        is_whole: Callable[[pa.Table], bool] = lambda _: True,
    ) -> pa.Table:
        """A table of all results, which is stored part by part.

        Parameters
        ----------
        make : callable
        items : sequence
        parts : Parts or None
            Parts that an earlier call stored there are read, not made again. None stores nothing.
        part_size : int
            Items per part. A killed call loses the parts that were not complete.
        as_table : callable
            Gets some items and their results; returns their rows, always with the same columns.
        is_whole : callable
            Gets a stored part; says whether the files that belong to it are there.
        """
        blocks = cut(items, part_size)
        names = [part_name(number) for number in range(len(blocks))]
        tables: list[pa.Table | None] = [None] * len(blocks)
        if parts is not None:
            parts.list_once()
            stored = map(parts.read, names)
            tables = [one if one is not None and is_whole(one) else None for one in stored]
        missing = [number for number, table in enumerate(tables) if table is None]
        self.skip(len(items) - sum(len(blocks[number]) for number in missing))
        made = self.blocks(make, (blocks[number] for number in missing))
        for number, (block, results) in zip(missing, made, strict=True):
            tables[number] = as_table(block, results)
            if parts is not None:
                parts.write(names[number], tables[number])
        return pa.concat_tables(tables)


def _attempt(
    make: Callable[[_Item], _Result], stop: Event | None, item: _Item
) -> tuple[_Result | Failed] | None:
    """The result of one item in a tuple; None if the item is given up.

    An error that ends the work sets ``stop`` at once, not only when the item's turn comes: the
    results of other threads could perhaps not be stored either.
    """
    try:
        return None if stop is not None and stop.is_set() else (attempt(make, item),)
    except Stopped:
        return None
    except BaseException:
        if stop is not None:
            stop.set()
        raise


def attempt(make: Callable[[_Item], _Result], item: _Item) -> _Result | Failed:
    """The result of ``make`` for one item, or a :class:`Failed`."""
    try:
        return make(item)
    except ItemError as error:
        return Failed(str(error.reason))


def cut(items: Sequence[_Item], size: int) -> list[Sequence[_Item]]:
    """The items in blocks of one size; the last block may be smaller."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def counted(reasons: Iterable[str]) -> str:
    """How often each reason occurs, as text: "file not found (3), empty file (1)"."""
    return ", ".join(f"{reason} ({n})" for reason, n in Counter(reasons).most_common())


def warn_of(reasons: Sequence[str], n: int, what: str, more: str = "") -> None:
    """Warn if some of n images have failed, with the number and the reasons."""
    if len(reasons):
        warn(
            f"{len(reasons)} of {plural(n, 'image')} could not be {what}: {counted(reasons)}{more}."
        )
