"""Which images of a large corpus a page shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata.explore.thinning import thin_out


def numbers(sizes):
    return pd.Series(np.repeat(np.arange(1, len(sizes) + 1), sizes))


def thinned(sizes, most, always=()):
    return thin_out(numbers(sizes), np.array(always, dtype=np.int64), most)


def test_by_hand():
    assert [*map(list, thinned([3, 2], 5)[:1])] == [[0, 1, 2, 3, 4]]
    assert thinned([3, 2], 5)[1] is None
    # Room for six: three typical ones, the one asked for, and two of the others.
    rows, n_typical = thinned([5, 3, 2], 6, always=[9])
    assert n_typical == 1
    assert len(rows) == 6
    assert {0, 5, 8, 9} < {*rows}
    # A small cluster leaves its room to the others: 1 + 4 + 4.
    assert thinned([1, 50, 50], 18)[1] == 4


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 120),
    st.data(),
)
def test_whatever_the_sizes(sizes, most, data):
    n = sum(sizes)
    always = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
    rows, n_typical = thinned(sizes, most, always)
    assert rows.tolist() == sorted({*rows})
    assert {*always} <= {*rows}
    if n <= most:
        assert len(rows) == n
        return
    ranks = numbers(sizes).groupby(numbers(sizes)).cumcount()
    typical = {*np.flatnonzero(ranks < n_typical)}
    assert typical <= {*rows}
    assert len(rows) == max(most, len(typical | {*always}))
    # No larger number of typical ones would have fitted into half of the room.
    taken = [sum(np.minimum(sizes, number)) for number in (n_typical, n_typical + 1)]
    assert taken[0] <= most // 2 or n_typical == 1
    assert taken[1] > most // 2 or n_typical >= max(sizes)


def test_a_crowd_stays_a_crowd():
    sizes = np.array([60_000, 30_000, 10_000])
    rows, n_typical = thinned(sizes, 6_000)
    drawn = np.bincount(numbers(sizes)[rows])[1:] - n_typical
    assert drawn.sum() == 3_000
    assert drawn / 3_000 == pytest.approx(sizes / sizes.sum(), abs=0.03)
