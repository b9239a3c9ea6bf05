"""Find hashes that differ in few bits among millions, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 64
#: Up to this many hashes, all pairs are compared.
_FEW = 1024
#: Queries and candidates processed at a time. They limit the memory.
_QUERIES, _CANDIDATES = 1 << 16, 1 << 20
#: Most bits of a band: tables of wider ones do not fit into the processor's cache.
_WIDEST = 22
#: Costs of a candidate and of the calls for one value, in units of one table look-up (measured:
#: about 6 and 25,000 nanoseconds, where a look-up takes 13).
_CANDIDATE_COST, _CALL_COST = 0.5, 2_000
#: An odd number, so that ``_SPREAD * bit % 64`` takes every place once.
_SPREAD = 37

#: Number of bits that are set in each 16-bit number; for NumPy 1, which cannot count them.
_ONES = (
    np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8))
    .reshape(-1, 16)
    .sum(axis=1, dtype=np.uint8)
)


class Band(NamedTuple):
    """Some neighbouring bits of the hashes, and the number of them in which two may differ."""

    shift: int
    width: int
    radius: int


def find_leaders(hashes: NDArray[np.uint64], max_distance: int) -> NDArray[np.int64]:
    """Return for each hash the first leader that differs in few bits, or itself if a leader.

    Parameters
    ----------
    hashes : ndarray of shape (n,), uint64
        Hashes in order. A hash without an earlier leader within the distance is a leader.
    max_distance : int
        Largest number of bits that differ.

    Returns
    -------
    ndarray of shape (n,), int64
        Positions of leaders. A chain of hashes, each near the one before, is not merged.

    Notes
    -----
    The later half is compared with the leaders of the earlier half; the hashes that remain
    are compared with each other in the same way. Hashes are compared with leaders only, so
    the cost of n similar hashes is proportional to n.

    Hashes are cut into *bands*. If two hashes differ in at most d bits, one of b bands differs
    in at most d / b bits. A table of the leaders for each band, looked up at every value
    within that distance of the query, gives all candidates. Norouzi, Punjani and Fleet
    (2012), "Fast search in Hamming space with multi-index hashing", CVPR, show that a query
    among n evenly distributed hashes then costs less than proportionally to n: about the cube
    root of n for distance 4, about n to the power of 0.6 for distance 10.
    """
    distinct, first, place = np.unique(hashes, return_index=True, return_inverse=True)
    # A repeated hash has the same leader as before, since later leaders have later positions.
    in_order = np.argsort(first, kind="stable")
    if max_distance == 0:
        leader = np.arange(len(first))
    else:
        leader = _leaders(_spread(distinct[in_order]), max_distance)
    answer = np.empty(len(first), dtype=np.int64)
    answer[in_order] = first[in_order][leader]
    return answer[place]


def bands(n: int, max_distance: int) -> list[Band]:
    """Return the bands with the lowest cost of looking up n hashes.

    If the radii, each plus one, add up to d + 1, hashes that differ in at most d bits differ
    by at most the radius in at least one band.
    """
    plans = [_equal_bands(number, max_distance) for number in range(-(-_BITS // _WIDEST), 9)]
    return min(plans, key=lambda plan: _cost(plan, n))


def _equal_bands(number: int, max_distance: int) -> list[Band]:
    places = [_BITS * band // number for band in range(number + 1)]
    # The first bands get the remainder.
    radii = [(max_distance + number - band) // number - 1 for band in range(number)]
    return [
        Band(start, end - start, radius)
        for start, end, radius in zip(places[:-1], places[1:], radii, strict=True)
        if radius >= 0
    ]


def _cost(plan: list[Band], n: int) -> float:
    """Return the cost of one query among n hashes, if n are looked up."""
    cost = 0.0
    for _, width, radius in plan:
        looks = sum(comb(width, bits) for bits in range(radius + 1))
        cost += looks * (1 + _CANDIDATE_COST * n / 2**width)
        cost += (2**width + _CALL_COST * looks) / n
    return cost


def _spread(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the same bits in another order, which preserves distances.

    Neighbouring bits of a picture's hash tend to be equal, so a band of them would distinguish
    pictures poorly.
    """
    spread = np.zeros_like(hashes)
    for bit in range(_BITS):
        one = hashes >> np.uint64(bit) & np.uint64(1)
        spread |= one << np.uint64(_SPREAD * bit % _BITS)
    return spread


def _leaders(hashes: NDArray[np.uint64], max_distance: int) -> NDArray[np.int64]:
    n = len(hashes)
    if n <= _FEW:
        return _leaders_of_few(hashes, max_distance)
    half = n // 2
    leader = np.empty(n, dtype=np.int64)
    leader[:half] = _leaders(hashes[:half], max_distance)
    earlier = np.flatnonzero(leader[:half] == np.arange(half))
    nearest = first_near(hashes[earlier], hashes[half:], max_distance)
    found = nearest < len(earlier)
    leader[half:][found] = earlier[nearest[found]]
    rest = half + np.flatnonzero(~found)
    leader[rest] = rest[_leaders(hashes[rest], max_distance)]
    return leader


def _leaders_of_few(hashes: NDArray[np.uint64], max_distance: int) -> NDArray[np.int64]:
    near = count_bits(hashes[:, None] ^ hashes) <= max_distance
    leader = np.arange(len(hashes))
    for position in np.flatnonzero(near.sum(axis=1) > 1):
        if leader[position] == position:
            follows = position + np.flatnonzero(near[position, position:])
            leader[follows[leader[follows] == follows]] = position
    return leader


def first_near(
    hashes: NDArray[np.uint64], queries: NDArray[np.uint64], max_distance: int
) -> NDArray[np.int64]:
    """Return the first hash within the distance of each query, ``len(hashes)`` if none is."""
    best = np.full(len(queries), len(hashes), dtype=np.int64)
    for band in bands(len(hashes), max_distance):
        table = _Table(hashes, band)
        keys = table.keys(queries)
        in_order = np.argsort(keys, kind="stable")  # neighbours then read the same memory
        for start in range(0, len(queries), _QUERIES):
            rows = in_order[start : start + _QUERIES]
            values = queries[rows]
            for flip in _flips(band.width, band.radius):
                for which, found in table.candidates(keys[rows] ^ flip):
                    near = count_bits(values[which] ^ table.hashes[found]) <= max_distance
                    np.minimum.at(best, rows[which[near]], table.positions[found[near]])
    return best


class _Table:
    """Hashes sorted by the bits of one band."""

    def __init__(self, hashes: NDArray[np.uint64], band: Band) -> None:
        self._shift = np.uint64(band.shift)
        self._mask = np.uint64((1 << band.width) - 1)
        keys = self.keys(hashes)
        self.positions = np.argsort(keys, kind="stable")
        self.hashes = hashes[self.positions]
        self._sizes = np.bincount(keys, minlength=1 << band.width).astype(np.int32)
        self._starts = np.cumsum(self._sizes, dtype=np.int32) - self._sizes

    def keys(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        return (hashes >> self._shift & self._mask).astype(np.int32)

    def candidates(
        self, keys: NDArray[np.int32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield pairs of a row of ``keys`` and a row of the table that have the same key."""
        sizes = self._sizes[keys]
        rows = np.flatnonzero(sizes)
        sizes = sizes[rows]
        starts = self._starts[keys[rows]]
        ends = np.cumsum(sizes, dtype=np.int64)
        first, before = 0, 0
        while first < len(rows):
            # At least one row, regardless of the number of its candidates.
            last = max(first + 1, int(np.searchsorted(ends, before + _CANDIDATES, side="right")))
            some = slice(first, last)
            offsets = starts[some] - (ends[some] - sizes[some] - before)
            total = int(ends[last - 1]) - before
            yield (
                np.repeat(rows[some], sizes[some]),
                np.repeat(offsets, sizes[some]) + np.arange(total),
            )
            first, before = last, int(ends[last - 1])


def count_bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Count the bits that are set in each number."""
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(values))
    quarters = np.ascontiguousarray(values)[..., None].view(np.uint16)
    return np.asarray(_ONES[quarters].sum(axis=-1, dtype=np.uint8))


def _flips(width: int, radius: int) -> Iterator[int]:
    """Yield all numbers of ``width`` bits of which at most ``radius`` are set."""
    for count in range(radius + 1):
        for bits in combinations(range(width), count):
            yield sum(1 << bit for bit in bits)
