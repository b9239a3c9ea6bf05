"""The border with R: what crosses arrives as it left."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagestrata.bridge.codec import decode_matrix, decode_table, encode_matrix, encode_table
from imagestrata.errors import ImagestrataError

DAY = dt.date(2020, 2, 29)
BERLIN = pd.DatetimeIndex(["2020-03-29 03:30:00.123456", None], tz="Europe/Berlin")

#: values -> the kind under which they cross. All of them come back equal.
TYPES: dict[str, tuple[Any, str]] = {
    "integer": (pd.array([1, -5, 2**31 - 1]), "integer"),
    "integer with NA": (pd.array([1, None, -5], dtype="Int64"), "integer"),
    "integer, all NA": (pd.array([None, None], dtype="Int64"), "integer"),
    "integer of numpy": (np.array([1, 2], dtype="uint8"), "integer"),
    "the lowest 32 bits": (np.array([-(2**31)]), "double"),
    "beyond 2^31": (np.array([2**31, -(2**40)]), "double"),
    "2^53": (np.array([2**53]), "double"),
    "double with NA": (np.array([1.5, np.nan]), "double"),
    "double with Inf": (np.array([np.inf, -np.inf, -0.0]), "double"),
    "float32": (np.array([0.1], dtype="float32"), "double"),
    "logical": (np.array([True, False]), "logical"),
    "logical with NA": (pd.array([True, None, False], dtype="boolean"), "logical"),
    "logical objects": (np.array([True, None, False], dtype=object), "logical"),
    "text": (["a", "NA", "", "n/a", "Zürich", "🦆"], "character"),
    "text with NA": (["NA", None, ""], "character"),
    "text, all NA": (np.array([None, None], dtype=object), "character"),
    "text with newlines": (["a\nb", "\r\n\t"], "character"),
    "factor": (pd.Categorical(["b", None, "a"], categories=["a", "b", "unused é"]), "factor"),
    "ordered": (pd.Categorical(["low"], categories=["low", "high"], ordered=True), "ordered"),
    "date": (np.array([DAY, None, dt.date(1969, 12, 31)], dtype=object), "date"),
    "time with zone": (BERLIN, "datetime"),
    "time in UTC": (pd.DatetimeIndex(["1969-12-31 23:59:59.5"], tz="UTC"), "datetime"),
    "lists of text": (pd.Series([["a", "b"], ["a"], [], None]), "list"),
    "lists of numbers": (pd.Series([[1, 2], [3], []]), "list"),
    "no integer": (np.array([], dtype="int64"), "integer"),
    "no double": (np.array([], dtype="float64"), "double"),
    "no logical": (np.array([], dtype="bool"), "logical"),
    "no text": (np.array([], dtype=object), "character"),
    "no factor": (pd.Categorical([], categories=["a"]), "factor"),
    "no time": (pd.DatetimeIndex([], tz="UTC"), "datetime"),
}


def _cross(values: Any) -> tuple[pd.Series[Any], str]:
    table = encode_table(pd.DataFrame({"x": values}))
    return decode_table(table)["x"], table["columns"][0]["kind"]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_back(name: str) -> None:
    values, expected = TYPES[name]
    before = pd.Series(values)
    after, kind = _cross(values)
    assert kind == expected
    assert after.isna().tolist() == before.isna().tolist()
    assert after.dropna().tolist() == before.dropna().tolist()
    if kind in ("factor", "ordered"):
        assert after.cat.categories.tolist() == before.cat.categories.tolist()
        assert after.cat.ordered == before.cat.ordered
    if kind == "datetime":
        assert str(after.dt.tz) == str(before.dt.tz)
    assert _cross(after)[1] == kind


def test_arrays_and_tuples_cross_as_lists() -> None:
    values = pd.Series([np.array(["a", "b"]), ("c",), np.array([], dtype=object)])
    after, kind = _cross(values)
    assert kind == "list"
    assert after.tolist() == [["a", "b"], ["c"], []]


def test_nan_and_missing_stay_apart() -> None:
    values = pd.arrays.FloatingArray(np.array([np.nan, 1.0, 2.0]), np.array([False, True, False]))
    column = encode_table(pd.DataFrame({"x": values}))["columns"][0]
    assert list(column["na"]) == [0, 1, 0]
    assert np.isnan(np.frombuffer(column["data"], "<f8")[0])
    after, _ = _cross(values)
    assert after.array._mask.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**53 + 1, -(2**60)]),
        np.array([2**64 - 1, 5], dtype="uint64"),
        np.array([2**80, 1], dtype=object),
    ],
)
def test_whole_numbers_beyond_doubles_become_their_digits(values: Any) -> None:
    after, kind = _cross(values)
    assert kind == "character"
    assert after.tolist() == [str(value) for value in values.tolist()]


def test_integer64_from_r_is_exact() -> None:
    data = bytearray(np.array([2**53 + 1, -(2**63)], dtype="<i8").tobytes())
    column = {"name": "x", "kind": "integer64", "data": data, "levels": None}
    table = {"n_rows": 2, "columns": [{**column, "na": bytearray([0, 1])}]}
    assert decode_table(table)["x"].tolist() == [2**53 + 1, pd.NA]


def test_the_bytes_of_a_small_table() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None]), "s": ["é", None]})
    table = encode_table(frame)
    assert table["n_rows"] == 2
    n, s = table["columns"]
    assert n == {
        "name": "n",
        "kind": "integer",
        "data": bytearray(b"\x01\0\0\0\0\0\0\0"),
        "levels": None,
        "na": bytearray(b"\0\1"),
    }
    assert s["data"] == bytearray(b"\xc3\xa9\0\0")


def test_what_r_cannot_hold() -> None:
    assert _cross(["a\0b"])[0].tolist() == ["a\ufffdb"]
    assert _cross(pd.Series(["bad\udcff"], dtype=object))[0].tolist() == ["bad?"]
    with pytest.raises(ImagestrataError, match="'x' contains mixed values"):
        encode_table(pd.DataFrame({"x": [{"a": 1}, {"a": 2}]}))
    with pytest.raises(ImagestrataError, match="timedelta"):
        encode_table(pd.DataFrame({"x": pd.to_timedelta([1], unit="s")}))


def test_naive_times_are_shown_as_they_are_and_odd_zones_in_utc() -> None:
    naive, _ = _cross(pd.DatetimeIndex(["2020-01-01 12:00"]))
    assert naive[0] == pd.Timestamp("2020-01-01 12:00", tz="UTC")
    odd, _ = _cross(pd.DatetimeIndex(["2020-01-01 12:00+02:00"]))
    assert odd[0] == pd.Timestamp("2020-01-01 10:00", tz="UTC")


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_characters="\0")))))
@settings(max_examples=200)
def test_any_text_comes_back(values: list[str | None]) -> None:
    after, _ = _cross(pd.Series([*values, "last"], dtype=object))
    clean = [v if v is None else v.encode("utf-8", "replace").decode() for v in values]
    assert [None if pd.isna(v) else v for v in after] == [*clean, "last"]


@given(st.lists(st.integers(-(2**70), 2**70), min_size=1))
def test_whole_numbers_are_never_rounded(values: list[int]) -> None:
    after, _ = _cross(pd.Series(values, dtype=object))
    assert [int(value) for value in after] == values


def test_matrix_is_column_major_and_keeps_its_bytes_per_value() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    wire = encode_matrix(matrix)
    assert wire["dim"] == [2, 3] and wire["size"] == 4
    assert np.frombuffer(wire["data"], "<f4").tolist() == [0, 3, 1, 4, 2, 5]
    from_r = {"dim": [2, 3], "data": bytearray(matrix.ravel(order="F").astype("<f8").tobytes())}
    assert decode_matrix(from_r).tolist() == matrix.tolist()
    assert encode_matrix(np.zeros((0, 5)))["dim"] == [0, 5]
