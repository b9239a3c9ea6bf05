"""Send tables and matrices between Python and R without loss.

Other converters between the languages silently corrupt data: a missing text becomes "NA", a missing
number -2147483648, a list of one element a scalar. Therefore a table crosses as *typed columns*,
dictionaries of bytes that both sides write and read themselves:

========== ==================================================================
``name``   the column's name
``kind``   integer, double, logical, character, factor, ordered, date,
           datetime, list or integer64 (the last only from R)
``data``   a ``bytearray`` (``raw`` in R), little-endian: int32 for integers,
           factor codes and lengths of lists, int64, float64 for doubles, days and
           seconds since 1970, one byte for logicals, zero-terminated UTF-8 for text
``levels`` zero-terminated UTF-8: the levels of a factor, the zone of a time; of
           a list column, the column of all elements
``na``     one byte for each row, 1 where the value is missing; None without any
========== ==================================================================

``R/python-codec.R`` is the counterpart in R. Three values change: whole numbers beyond 2^53 arrive
in R as text (doubles would round them); the character NUL, which R lacks, becomes U+FFFD; times are
exact to the microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from ..errors import ImagestrataError
from ..wording import quote

Column: TypeAlias = dict[str, Any]
Array: TypeAlias = np.ndarray[Any, Any]

#: All whole numbers up to this magnitude are exact as doubles.
_EXACT = 2**53
#: The largest integer of R. The lowest of its 32-bit values represents NA.
_SMALL = 2**31 - 1


def encode_table(frame: pd.DataFrame) -> dict[str, Any]:
    """Encode a table, without its index, as typed columns.

    Raises
    ------
    ImagestrataError
        If R has no type for the values of a column, such as dictionaries.
    """
    columns = [_encode_column(str(name), frame.iloc[:, i]) for i, name in enumerate(frame)]
    return {"n_rows": len(frame), "columns": columns}


def decode_table(table: dict[str, Any]) -> pd.DataFrame:
    """Decode the typed columns of R's ``encode_table()`` into a table."""
    index = pd.RangeIndex(int(table["n_rows"]))
    columns = {column["name"]: _decode_column(column, index) for column in table["columns"]}
    return pd.DataFrame(columns, index=index)


def encode_matrix(matrix: Array) -> dict[str, Any]:
    """Encode a matrix column by column, as R stores it; float32 remains float32."""
    size = 4 if matrix.dtype == np.float32 else 8
    data = bytearray(matrix.size * size)
    # This makes the only copy of a matrix, in memory or mapped from a file.
    np.frombuffer(data, dtype=f"<f{size}").reshape(matrix.shape[::-1])[:] = matrix.T
    return {"dim": list(matrix.shape), "size": size, "data": data}


def decode_matrix(matrix: dict[str, Any]) -> Array:
    """Decode the doubles of R's ``encode_matrix()`` into a float32 matrix."""
    n_rows, n_columns = (int(n) for n in matrix["dim"])
    flat = np.frombuffer(matrix["data"], dtype="<f8")
    return np.asarray(flat.reshape(n_columns, n_rows).T, dtype=np.float32, order="C")


def _encode_column(name: str, values: pd.Series[Any]) -> Column:
    kind = _kind(name, values)
    missing = values.isna().to_numpy()
    if kind == "double" and isinstance(values.dtype, pd.Float64Dtype):
        missing = _mask(values)
    encode = _ENCODERS[kind]
    na = bytearray(missing.astype(np.uint8).data) if missing.any() else None
    return {"name": name, "kind": kind, "levels": None, "na": na, **encode(values, missing)}


def _kind(name: str, values: pd.Series[Any]) -> str:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "ordered" if dtype.ordered else "factor"
    if isinstance(dtype, pd.ArrowDtype) and dtype.pyarrow_dtype == pa.date32():
        return "date"
    if isinstance(dtype, pd.DatetimeTZDtype) or dtype.kind == "M":
        return "datetime"
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred == "mixed" and values.dropna().map(_is_list).all():
        return "list"
    kind = {
        "boolean": "logical",
        "date": "date",
        "empty": "character",
        "floating": "double",
        "integer": "integer",
        "integer-na": "integer",
        "mixed-integer-float": "double",
        "string": "character",
    }.get(inferred)
    if kind is None and len(values) == 0:
        kind = "character"
    if kind is None:
        raise ImagestrataError(
            f"The column {quote(name)} contains {inferred} values ({dtype}), for which R has no "
            "type.",
            "Turn them into text or numbers first.",
        )
    return kind


def _is_list(cell: Any) -> bool:
    return pd.api.types.is_list_like(cell) and not isinstance(cell, dict)


def _encode_integer(values: pd.Series[Any], missing: Array) -> Column:
    if values.dtype == object:
        plain = [0 if gone else int(v) for v, gone in zip(values, missing, strict=True)]
        whole = np.array(plain, dtype=object)  # NumPy 1 turns 2^63 and 0 into floats
    else:
        whole = values.fillna(0).to_numpy(dtype=f"{values.dtype.kind}8")
    largest = max(abs(int(whole.max())), abs(int(whole.min()))) if len(whole) else 0
    if largest <= _SMALL:
        return {"data": _bytes(whole, "<i4")}
    if largest <= _EXACT:
        return {"kind": "double", "data": _bytes(whole, "<f8")}
    return {"kind": "character", "data": _encode_text(map(str, whole.tolist()))}


def _encode_double(values: pd.Series[Any], _: Array) -> Column:
    return {"data": _bytes(values.to_numpy(dtype="float64", na_value=np.nan), "<f8")}


def _encode_logical(values: pd.Series[Any], missing: Array) -> Column:
    return {"data": _bytes(values.mask(missing, False).to_numpy(dtype=bool), "u1")}


def _encode_character(values: pd.Series[Any], missing: Array) -> Column:
    plain = values.astype(object).mask(missing, "") if missing.any() else values
    return {"data": _encode_text(plain.tolist())}


def _encode_factor(values: pd.Series[Any], _: Array) -> Column:
    levels = map(str, values.cat.categories)
    return {"data": _bytes(values.cat.codes.to_numpy(), "<i4"), "levels": _encode_text(levels)}


def _encode_date(values: pd.Series[Any], _: Array) -> Column:
    dates = pa.array(values, type=pa.date32(), from_pandas=True)
    return {"data": _bytes(dates.cast(pa.int32()).fill_null(0).to_numpy(), "<f8")}


def _encode_datetime(values: pd.Series[Any], missing: Array) -> Column:
    zone = str(values.dt.tz or "UTC")
    if values.dt.tz is not None:
        zone = zone if _is_zone(zone) else "UTC"
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    micros = values.to_numpy().astype("datetime64[us]").astype("int64")
    seconds = np.where(missing, 0, micros) / 1e6
    return {"data": _bytes(seconds, "<f8"), "levels": _encode_text([zone])}


def _encode_list(values: pd.Series[Any], missing: Array) -> Column:
    lists = [[] if gone else list(cell) for cell, gone in zip(values, missing, strict=True)]
    elements = pd.Series([one for cell in lists for one in cell])
    return {
        "data": _bytes(np.array([len(cell) for cell in lists]), "<i4"),
        "levels": _encode_column(str(values.name), elements),
    }


_ENCODERS: dict[str, Callable[[pd.Series[Any], Array], Column]] = {
    "integer": _encode_integer,
    "double": _encode_double,
    "logical": _encode_logical,
    "character": _encode_character,
    "factor": _encode_factor,
    "ordered": _encode_factor,
    "date": _encode_date,
    "datetime": _encode_datetime,
    "list": _encode_list,
}


def _decode_column(column: Column, index: pd.RangeIndex) -> pd.Series[Any]:
    missing = None
    if column["na"] is not None:
        missing = np.frombuffer(column["na"], dtype=np.uint8).astype(bool)
    values = _DECODERS[column["kind"]](column, missing)
    return pd.Series(values, index=index, copy=False)


def _decode_integer(column: Column, missing: Array | None) -> Any:
    wire = "<i8" if column["kind"] == "integer64" else "<i4"
    values = np.frombuffer(column["data"], dtype=wire).astype("int64")
    if missing is None:
        return values
    return pd.arrays.IntegerArray(np.where(missing, 1, values), missing)


def _decode_double(column: Column, missing: Array | None) -> Any:
    values = np.frombuffer(column["data"], dtype="<f8").astype("float64")
    nowhere = np.zeros(len(values), dtype=bool)
    missing = nowhere if missing is None else missing
    if (np.isnan(values) & ~missing).any():
        # NaN is a value in R. A plain float column would return it as NA.
        return pd.arrays.FloatingArray(np.where(missing, 1.0, values), missing)
    return np.where(missing, np.nan, values)


def _decode_logical(column: Column, missing: Array | None) -> Any:
    values = np.frombuffer(column["data"], dtype=np.uint8).astype(bool)
    return values if missing is None else pd.arrays.BooleanArray(values, missing)


def _decode_character(column: Column, missing: Array | None) -> Any:
    texts: list[str | None] = list(_decode_text(column["data"]))
    if missing is not None:
        for i in np.flatnonzero(missing):
            texts[i] = None
    return texts if texts else np.array([], dtype=object)


def _decode_factor(column: Column, _: Array | None) -> Any:
    # A missing value has the code -1.
    codes = np.frombuffer(column["data"], dtype="<i4")
    levels: pd.Index[Any] = pd.Index(np.array(_decode_text(column["levels"]), dtype=object))
    return pd.Categorical.from_codes(codes, levels, ordered=column["kind"] == "ordered")


def _decode_date(column: Column, missing: Array | None) -> Any:
    # An empty Arrow column keeps the type of dates; an empty column of objects would not.
    days = np.floor(np.frombuffer(column["data"], dtype="<f8")).astype("int32")
    return pd.arrays.ArrowExtensionArray(pa.array(days, mask=missing).cast(pa.date32()))


def _decode_datetime(column: Column, missing: Array | None) -> Any:
    (zone,) = _decode_text(column["levels"])
    seconds = np.frombuffer(column["data"], dtype="<f8")
    times = np.rint(seconds * 1e6).astype("datetime64[us]")
    if missing is not None:
        times[missing] = np.datetime64("NaT")
    return pd.Series(times).dt.tz_localize("UTC").dt.tz_convert(zone).array


def _decode_list(column: Column, missing: Array | None) -> Any:
    lengths = np.frombuffer(column["data"], dtype="<i4")
    elements = _decode_column(column["levels"], pd.RangeIndex(int(lengths.sum())))
    rest = iter(elements.astype(object).tolist())
    cells = np.empty(len(lengths), dtype=object)
    for i, length in enumerate(lengths):
        cells[i] = list(islice(rest, int(length)))
    if missing is not None:
        cells[missing] = None
    return cells


_DECODERS: dict[str, Callable[[Column, Array | None], Any]] = {
    "integer": _decode_integer,
    "integer64": _decode_integer,
    "double": _decode_double,
    "logical": _decode_logical,
    "character": _decode_character,
    "factor": _decode_factor,
    "ordered": _decode_factor,
    "date": _decode_date,
    "datetime": _decode_datetime,
    "list": _decode_list,
}


def _encode_text(texts: Iterable[str]) -> bytearray:
    parts = list(texts)
    joined = "\0".join([*parts, ""])
    if joined.count("\0") != len(parts):
        joined = "\0".join([*(part.replace("\0", "\ufffd") for part in parts), ""])
    return bytearray(joined, "utf-8", "replace")


def _decode_text(data: bytearray) -> Sequence[str]:
    return data.decode("utf-8").split("\0")[:-1]


def _bytes(values: Array, wire: str) -> bytearray:
    return bytearray(np.ascontiguousarray(values, dtype=wire).data.cast("B"))


def _mask(values: pd.Series[Any]) -> Array:
    """The missing values of a nullable column; unlike ``isna``, this never counts NaN."""
    mask: Array = np.asarray(values.array._mask)
    return mask


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
