"""All items of a step, worked on: many at a time, in order, with progress, to be gone on with.

Whatever looks at all images works alike. A function is called on every item, in threads of
this process or on a cluster (:mod:`~imagestrata.engine` says where), and results come in the
order of the items. Of each item comes a result: what the function made, or why nothing could
be made, which ends no work. Results may be stored in parts, each whole or absent, so that a
call that was interrupted goes on with the first part that is missing::

    with open_work("Reading", len(files), progress, engine) as work:
        for result in work.each(read, files):            # one by one
            ...
        table = work.in_parts(read, files, parts, 64, as_table)  # or stored as they come

Leaving the block, in whatever way, ends the work: what was not begun never is, and what was
begun is waited for. No more than some items are ever ahead of the one that is handed out.
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
from .files import Parts
from .progress import Progress, track

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class ItemError(Exception):
    """Nothing can be made of an item, and others are none the worse for it.

    Parameters
    ----------
    reason : str
        Why, in the words of the item's row.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Stopped(Exception):
    """An item that is given up, since the work has ended."""


@dataclass(frozen=True)
class Failed:
    """What comes of an item that raised :class:`ItemError`."""

    reason: str


@contextmanager
def open_work(
    step: str,
    total: int,
    progress: Progress,
    engine: Any = None,
    *,
    most_threads: int = MOST_THREADS,
    waiting_threads: int | None = None,
    stop: Event | None = None,
    files: Iterable[str | os.PathLike[str]] = (),
) -> Iterator[Work]:
    """Yield what calls functions on the items of a step, until the block ends.

    Parameters
    ----------
    step : str
        What is going on, for people: "Scanning", "Embedding".
    total : int
        How many images, or texts, there are in all.
    progress : bool or callable
        See :data:`~imagestrata.progress.Progress`.
    engine : Client, str or Engine, optional
        See :func:`~imagestrata.engine.open_engine`.
    most_threads : int
        How many threads compute at most, where there is no cluster.
    waiting_threads : int, optional
        So many threads instead of one per core, which mostly wait: for a service or a disk.
    stop : Event, optional
        Set when the work ends before its time, for threads that wait for something else.
    files : iterable of path
        What every worker must see.
    """
    opened = (
        open_engine(engine, most_threads=most_threads)
        if waiting_threads is None
        else open_threads(waiting_threads, stop)
    )
    with opened as workers:
        for file in files:
            workers.check_file(file)
        with track(progress, step, total) as advance:
            yield Work(workers, advance, stop)


class Work:
    """Calls functions on items. Made by :func:`open_work`.

    Attributes
    ----------
    advance : callable
        Tells of progress made elsewhere.
    """

    def __init__(self, engine: Engine, advance: Callable[..., None], stop: Event | None) -> None:
        self.advance = advance
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
        """What ``make`` makes of each item, or why nothing, in the order of the items.

        Parameters
        ----------
        make : callable
            For a cluster a function of a module, or a ``partial`` of one. It raises
            :class:`ItemError` where nothing can be made of this item alone; any other error
            ends the work, and is raised when the item's turn comes.
        items : iterable
        at_once : int
            Items that go to a worker of a cluster together.
        size : callable
            How many units of progress an item is.
        """
        sizes: deque[int] = deque()

        def measured() -> Iterator[_Item]:
            for item in items:
                sizes.append(size(item))
                yield item

        attempt = partial(_attempt, make, self._stop)
        for result in self._engine.map(attempt, measured(), at_once=at_once):
            self.advance(sizes.popleft())
            if result is not None:  # else the error that stopped the work is still to come
                yield result[0]

    def blocks(
        self,
        make: Callable[[_Item], _Result],
        blocks: Sequence[Sequence[_Item]],
        missing: Sequence[int],
        *,
        size: Callable[[_Item], int] = lambda _: 1,
    ) -> Iterator[tuple[int, list[Any]]]:
        """The numbers of the blocks that are missing, each with the results of its items.

        Work goes on while whoever takes a block stores it. A block is what goes to a worker of a
        cluster at once.
        """
        todo = [blocks[number] for number in missing]
        done = set(range(len(blocks))) - {*missing}
        if done:
            self.advance(sum(size(item) for number in done for item in blocks[number]))
        most = max(map(len, todo), default=1)
        results = self.each(make, chain.from_iterable(todo), at_once=most, size=size)
        for number, block in zip(missing, todo, strict=True):
            yield number, list(islice(results, len(block)))

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
        """A table of all results, of which every part is stored when it is made.

        Parameters
        ----------
        make : callable
        items : sequence
        parts : Parts or None
            What an earlier call stored there is taken as it is; None stores nothing.
        part_size : int
            Items per part: what a killed call loses at most.
        as_table : callable
            The rows of some items and their results, with the same columns for all.
        is_whole : callable
            Whether what belongs to a stored part is there as well.
        """
        blocks = cut(items, part_size)
        names = [part_name(number) for number in range(len(blocks))]
        tables: list[pa.Table | None] = [None] * len(blocks)
        if parts is not None:
            parts.list_once()
            stored = map(parts.read, names)
            tables = [one if one is not None and is_whole(one) else None for one in stored]
        missing = [number for number, table in enumerate(tables) if table is None]
        for number, results in self.blocks(make, blocks, missing):
            tables[number] = as_table(blocks[number], results)
            if parts is not None:
                parts.write(names[number], tables[number])
        return pa.concat_tables(tables)


def _attempt(
    make: Callable[[_Item], _Result], stop: Event | None, item: _Item
) -> tuple[_Result | Failed] | None:
    """What is made of one item, in a tuple; None if it is given up.

    An error that ends the work is told to other threads at once, not only when its turn comes:
    what they make now could perhaps not be stored either.
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
    """What is made of an item, or why nothing can be."""
    try:
        return make(item)
    except ItemError as error:
        return Failed(str(error.reason))


def cut(items: Sequence[_Item], size: int) -> list[Sequence[_Item]]:
    """Items in blocks of one size; the last may be smaller."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def part_name(number: int) -> str:
    """The name under which a numbered part is stored."""
    return f"part-{number:05d}"


def counted(reasons: Iterable[str]) -> str:
    """Reasons with their numbers, for people: "3 file not found, 1 empty file"."""
    return ", ".join(f"{n} {reason}" for reason, n in Counter(reasons).most_common())


def warn_of(reasons: Sequence[str], n: int, what: str, more: str = "") -> None:
    """Warn of the images, out of n, of which nothing could be made, if there are any."""
    if len(reasons):
        warn(
            f"{len(reasons)} of {plural(n, 'image')} could not be {what}: {counted(reasons)}{more}."
        )
