"""All items of a step, worked on: in order, gone on with, and none worse for another's fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from errands import double
from imagestrata import ImagestrataError, engine
from imagestrata.files import Parts
from imagestrata.progress import Reporter
from imagestrata.work import (
    Failed,
    ItemError,
    Stopped,
    attempt,
    counted,
    cut,
    open_work,
    warn_of,
)

#: Numbers, of which one has no half.
NUMBERS = [2, 4, 5, 8]


def half(number: int) -> int:
    if number % 2:
        raise ItemError("odd")
    return number // 2


def rows(numbers: Sequence[int], halves: list[int | Failed]) -> pa.Table:
    reasons = [one.reason if isinstance(one, Failed) else None for one in halves]
    found = [None if isinstance(one, Failed) else one for one in halves]
    columns = {"number": numbers, "half": found, "reason": reasons}
    types = [("number", pa.int64()), ("half", pa.int64()), ("reason", pa.string())]
    return pa.table(columns, schema=pa.schema(types))


#: What comes of the numbers, by hand.
HALVES = {"number": NUMBERS, "half": [1, 2, None, 4], "reason": [None, None, "odd", None]}


def halve(numbers: Sequence[int], parts: Parts | None, size: int = 2, **options: Any) -> pa.Table:
    with open_work("Halving", len(numbers), options.pop("progress", False)) as work:
        return work.in_parts(options.pop("make", half), numbers, parts, size, rows, **options)


class Counting:
    """Halves numbers, and knows of which."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, number: int) -> int:
        self.seen.append(number)
        return half(number)


class TestEach:
    def test_by_hand(self) -> None:
        told: list[tuple[Any, ...]] = []
        with open_work("Halving", 4, lambda *said: told.append(said)) as work:
            made = list(work.each(half, NUMBERS))
        assert made == [1, 2, Failed("odd"), 4]
        assert told == [("Halving", done, 4) for done in range(5)]

    def test_order_is_that_of_the_items(self) -> None:
        def nap(number: int) -> int:
            time.sleep(0.01 * (7 - number))
            return number

        with open_work("Napping", 7, False, waiting_threads=7) as work:
            assert list(work.each(nap, range(7), at_once=7)) == [*range(7)]

    def test_an_item_may_be_many_units(self) -> None:
        told: list[int | None] = []
        with open_work("Adding", 5, lambda _, done, __: told.append(done)) as work:
            assert list(work.each(sum, [[1, 1], [2], [0, 0]], size=len)) == [2, 2, 0]
        assert told == [0, 2, 3, 5]

    def test_nothing_may_be_made_of_an_item(self) -> None:
        with open_work("Looking", 2, False) as work:
            assert list(work.each(lambda _: None, [1, 2])) == [None, None]

    def test_an_open_engine_is_used_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with engine.open_engine() as workers:
            monkeypatch.setattr(engine, "ThreadPoolExecutor", None)
            with open_work("Doubling", 3, False, workers) as work:
                assert list(work.each(double, [1, 2, 3])) == [2, 4, 6]

    def test_little_is_ahead(self) -> None:
        drawn = []

        def items() -> Iterator[int]:
            for item in range(40):
                drawn.append(item)
                yield item

        with open_work("Doubling", 40, False, waiting_threads=2) as work:
            for taken, _ in enumerate(work.each(double, items())):
                assert len(drawn) <= taken + 1 + 2


class TestEnd:
    def test_an_error_ends_the_work(self) -> None:
        begun = []

        def work_on(number: int) -> int:
            begun.append(number)
            if number == 7:
                raise ImagestrataError("Seven came.")
            return number

        taken = []
        with pytest.raises(ImagestrataError, match="Seven"), open_work("On", 999, False) as work:
            taken += work.each(work_on, range(999))
        assert taken == [*range(7)] and len(begun) < 999

    def test_interrupted_nothing_goes_on(self) -> None:
        """What was not begun never is; what was begun has ended when the block is left."""
        begun, ended = [], []

        def slow(number: int) -> None:
            begun.append(number)
            time.sleep(0.05)
            ended.append(number)

        with (
            pytest.raises(KeyboardInterrupt),
            open_work("Slowly", 99, False, waiting_threads=3) as work,
        ):
            for _ in work.each(slow, range(99), at_once=99):
                raise KeyboardInterrupt
        assert sorted(begun) == sorted(ended) and len(begun) < 20
        n = len(begun)
        time.sleep(0.15)
        assert len(begun) == n

    def test_who_gives_up_hides_no_error(self) -> None:
        """The first item waits until the second one fails: that error is the one to tell."""
        stop = threading.Event()

        def work_on(number: int) -> int:
            if number == 0:
                assert stop.wait(30)
                raise Stopped
            raise ImagestrataError("No space left.")

        with (
            pytest.raises(ImagestrataError, match="No space left"),
            open_work("On", 2, False, waiting_threads=2, stop=stop) as work,
        ):
            list(work.each(work_on, [0, 1], at_once=2))

    def test_whoever_waits_is_told_of_an_interruption(self) -> None:
        stop = threading.Event()

        def wait(_: int) -> bool:
            return stop.wait(30)

        begun = time.monotonic()
        with (
            pytest.raises(KeyboardInterrupt),
            open_work("Waiting", 3, False, waiting_threads=3, stop=stop) as work,
        ):
            next(work.each(double, [1]))
            waiting = work.each(wait, [1, 2, 3])
            threading.Timer(0.05, stop.set).start()
            assert next(waiting) is True
            raise KeyboardInterrupt
        assert stop.is_set() and time.monotonic() - begun < 20


class TestInParts:
    def test_by_hand(self, tmp_path: Path) -> None:
        assert halve(NUMBERS, None).to_pydict() == HALVES
        assert halve(NUMBERS, Parts(tmp_path)).to_pydict() == HALVES
        assert [path.name.split(".")[0] for path in sorted(tmp_path.iterdir())] == [
            "part-00000",
            "part-00001",
        ]

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
    def test_the_size_of_parts_changes_nothing(self, tmp_path: Path, size: int) -> None:
        assert halve(NUMBERS, Parts(tmp_path), size).to_pydict() == HALVES
        assert len([*tmp_path.iterdir()]) == -(-4 // size)

    def test_interrupted_it_goes_on_and_nothing_stored_is_made_again(self, tmp_path: Path) -> None:
        numbers = [*range(0, 40, 2), 41]
        for stop in (9, 15):

            def interrupt(_: str, done: int, __: int | None, stop: int = stop) -> None:
                if done == stop:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                halve(numbers, Parts(tmp_path), 4, progress=interrupt)
        assert len([*tmp_path.iterdir()]) == 3  # 12 of 15
        again, told = Counting(), []
        made = halve(
            numbers, Parts(tmp_path), 4, make=again, progress=lambda *said: told.append(said[1])
        )
        assert sorted(again.seen) == numbers[12:]
        assert told == [0, *range(12, 22)]
        assert made.equals(halve(numbers, None))

    def test_finished_nothing_is_made(self, tmp_path: Path) -> None:
        halve(NUMBERS, Parts(tmp_path))
        again = Counting()
        assert halve(NUMBERS, Parts(tmp_path), make=again).to_pydict() == HALVES
        assert again.seen == []

    def test_a_damaged_part_is_made_again_and_no_other(self, tmp_path: Path) -> None:
        halve(NUMBERS, Parts(tmp_path))
        second = sorted(tmp_path.iterdir())[1]
        second.write_bytes(second.read_bytes()[:-1])
        again = Counting()
        assert halve(NUMBERS, Parts(tmp_path), make=again).to_pydict() == HALVES
        assert sorted(again.seen) == [5, 8]

    def test_a_part_that_lacks_what_belongs_to_it_is_made_again(self, tmp_path: Path) -> None:
        halve(NUMBERS, Parts(tmp_path))
        again = Counting()
        whole = halve(
            NUMBERS,
            Parts(tmp_path),
            make=again,
            is_whole=lambda table: table["number"][0].as_py() != 2,
        )
        assert sorted(again.seen) == [2, 4] and whole.to_pydict() == HALVES

    def test_a_part_is_stored_before_the_next_one_is_made(self, tmp_path: Path) -> None:
        """All but those ahead: what a kill costs is bounded."""
        stored = []

        def look(number: int) -> int:
            stored.append(len([*tmp_path.iterdir()]))
            return number

        with open_work("Looking", 40, False, waiting_threads=1) as work:
            work.in_parts(look, range(40), Parts(tmp_path), 4, rows)
        # Four items at most are taken ahead of the part that is stored.
        assert all(n >= number // 4 - 2 for number, n in enumerate(stored))


def test_one_item_alone() -> None:
    assert attempt(half, 8) == 4
    assert attempt(half, 7) == Failed("odd")


def test_blocks_of_one_size() -> None:
    assert cut([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert cut([], 2) == []


def test_reasons_are_counted_and_told() -> None:
    assert counted(["a", "b", "b"]) == "b (2), a (1)"
    with pytest.warns(UserWarning, match=r"^2 of 9 images could not be read: odd \(2\)\.$"):
        warn_of(["odd", "odd"], 9, "read")
    warn_of([], 9, "read")


def test_stored_parts_say_nothing_about_the_pace(tmp_path):
    """90 of 100 numbers are stored: they are done, and were not made by this call."""
    heard = []
    reporter = Reporter(lambda state: heard.append((state.done, state._made)))
    for n, progress in ((90, False), (100, reporter)):
        with open_work("Halving", n, progress) as work:
            work.in_parts(half, range(n), Parts(tmp_path), 10, rows)
    assert heard[:2] == [(0, 0), (90, 0)]
    assert heard[2:] == [*((90 + n, n) for n in range(1, 11)), (100, 10)]
