"""Read tables and lists of users so that no row and no character is lost.

The rules, which ``R/read-tables.R`` follows as well:

- A byte order mark decides the encoding (UTF-8, UTF-16, UTF-32). Without a mark, text is UTF-8; if
  it is not valid UTF-8, it is read as Windows-1252 with a warning.
- Every cell is text until the caller asks for numbers: ids such as "001", "1e5", "TRUE" or "NA"
  do not change. Spaces around a cell are removed.
- Faults that other readers repair silently (lines with more or fewer cells, unclosed quotes, two
  columns of the same name) raise an error that names file and line.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

from .errors import ImagestrataError, plural, warn
from .files import bare
from .validate import check_path
from .wording import arg, kind_of, quote, verb

SEPARATORS = (",", ";", "\t")

#: Columns with ids in the tables of this package: always text.
ID_COLUMNS = (
    "image_id", "image_a", "image_b", "duplicate_of", "pair_id", "set_id", "packet_id",
    "respondent_id", "annotator", "coder", "post_id", "author", "group", "video_id",
)  # fmt: skip

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

#: A first line such as "sep=;" tells Excel the separator.
_SEP_LINE = re.compile(r'"?sep=(.)"?\r?(\n|$)', re.IGNORECASE)

_PAGE = re.compile(r"\s*<(!doctype html|html)\b", re.IGNORECASE)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: A cell that loses nothing as a number: not "007", not "1e5", not 16 digits or more.
_PLAIN_NUMBER = re.compile(r"-?((0|[1-9]\d{0,14})(\.\d*)?|\.\d+)([eE][+-]\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

#: The number of lines from which the separator is guessed.
_LOOKED_AT = 200

#: A number of a cluster, without leading zeros.
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")
#: The types of columns of Python objects, by what pandas finds in them.
_KINDS = {
    "integer": "int64", "floating": "float64", "mixed-integer-float": "float64", "boolean": "bool",
}  # fmt: skip

#: Larger whole numbers are not all exact as floats.
_EXACT = 2**53


def from_elsewhere(given: Any) -> Any:
    """Convert data of other libraries to pandas or NumPy; return anything else unchanged.

    This converts tables and columns of Arrow (polars, pyarrow, DuckDB, ...) or with a method
    ``to_pandas()``, tensors of torch on any device, and arrays of other libraries, also in lists,
    tuples and dictionaries. Whole-number ids with missing cells become text, not floats.
    """
    if isinstance(given, list | tuple | dict):
        values = [*given.values()] if isinstance(given, dict) else given
        made = [from_elsewhere(one) for one in values]
        if all(one is other for one, other in zip(values, made, strict=True)):
            return given
        return dict(zip(given, made, strict=True)) if isinstance(given, dict) else made
    known = ("builtins", "numpy", "pandas", "imagestrata", "PIL")
    if isinstance(given, pd.DataFrame) or type(given).__module__.partition(".")[0] in known:
        return given
    if hasattr(given, "collect_schema") and hasattr(given, "collect"):  # a lazy query of polars
        given = given.collect()
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        return _from_arrow(given)
    if hasattr(given, "to_pandas"):
        return given.to_pandas()
    if hasattr(given, "detach") and hasattr(given, "cpu"):
        tensor = given.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return np.asarray(given) if hasattr(given, "__array__") else given


def _from_arrow(given: Any) -> Any:
    import pyarrow as pa

    if not (hasattr(given, "columns") or hasattr(given, "schema")):
        is_chunked = hasattr(given, "__arrow_c_stream__")
        column = pa.chunked_array(given) if is_chunked else pa.array(given)
        return _with_signed_codes(column).to_pandas(date_as_object=False)
    table = pa.table(given)
    for place, field in enumerate(table.schema):
        column = table.column(place)
        is_id = field.name in ID_COLUMNS and not table.schema.pandas_metadata
        if is_id and pa.types.is_integer(field.type) and column.null_count:
            table = table.set_column(place, field.name, column.cast(pa.string()))
        elif pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, column.cast(pa.float64()))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, _with_signed_codes(column))
    return table.to_pandas(date_as_object=False)


def _with_signed_codes(column: Any) -> Any:
    """Categories as pyarrow 19 can convert them to pandas, too; those of polars have no sign."""
    kind = column.type
    if not (pa.types.is_dictionary(kind) and pa.types.is_unsigned_integer(kind.index_type)):
        return column
    return column.cast(pa.dictionary(pa.int64(), kind.value_type, kind.ordered))


def text_of(
    path: str | os.PathLike[str], encoding: str | None = None, *, ours: bool = False
) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path : path
    encoding : str, optional
        By default that of the byte order mark, otherwise UTF-8, otherwise Windows-1252 with a
        warning.
    ours : bool, default False
        Whether this package wrote the file, so that any character is valid.
    """
    file = check_path("files", path)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise ImagestrataError(
            f"There is no file {quote(file)}.", "Check the spelling, or give the full path."
        ) from None
    except IsADirectoryError:
        raise ImagestrataError(
            f"{quote(file)} is a folder, not a file.", "Give the files in it."
        ) from None
    except OSError as error:
        raise ImagestrataError(f"{quote(file)} cannot be read ({error}).") from None
    if data.startswith((_ZIP, _OLE)):
        raise ImagestrataError(
            f"{quote(file)} is a workbook of a spreadsheet program (or an archive), not text.",
            "Save the sheet as CSV UTF-8, or read it as text into a table and give the table.",
        )
    text = _decoded(data, file, encoding)
    if "\0" in text and not ours:
        raise ImagestrataError(
            f"Line {_line_at(text, text.index(chr(0)))} of {quote(file)} contains a NUL byte: the "
            "file is damaged, or not text.",
            "Ask for the file again.",
        )
    return text


def read_texts(
    path: str | os.PathLike[str],
    wanted: Sequence[str] = (),
    *,
    sep: str | None = None,
    encoding: str | None = None,
    ours: bool = False,
) -> pd.DataFrame:
    """Read a CSV file as a table of texts.

    Parameters
    ----------
    path : path
    wanted : sequence of str
        Expected columns, which help to find the separator.
    sep : str, optional
        The separator of columns; by default commas, semicolons or tabs, whichever fits.
    encoding : str, optional
        See :func:`text_of`.
    ours : bool, default False
        Whether this package wrote the file, in UTF-8 with commas: texts then keep the spaces
        around them.

    Returns
    -------
    DataFrame
        ``attrs["line"]`` has the line in which each row begins, ``attrs["sep"]`` the separator.
    """
    file = Path(path)
    if sep is not None and (not isinstance(sep, str) or len(sep) != 1 or sep in '"\r\n'):
        raise ImagestrataError(
            f"{arg('sep')} must be one character, such as a semicolon, not {quote(sep)}."
        )
    text = text_of(file, "utf-8" if ours else encoding, ours=ours)
    first_line = 0
    said = None if ours else _SEP_LINE.match(text)
    if said:
        sep, text, first_line = sep or said[1], text[said.end() :], 1
    if not text.strip():
        raise ImagestrataError(f"{quote(file)} is empty.", "Ask for the file again.")
    if _PAGE.match(text):
        raise ImagestrataError(
            f"{quote(file)} is a page for a browser, not a table.",
            "If annotators answer on it: open it, answer, and give the file that the page saves.",
        )
    found = "," if ours else sep or _guess(text, wanted, file)
    records, lines = _parse(text, found, file, first_line, str if ours else str.strip)
    header, rows, lines = records[0], records[1:], lines[1:]
    _check_header(header, file)
    for row, line in zip(rows, lines, strict=True):
        while len(row) > len(header) and not row[-1]:  # Excel writes empty cells at the end
            row.pop()
        if len(row) != len(header):
            raise ImagestrataError(
                f"Line {line} of {quote(file)} has {plural(len(row), 'cell')}, but the header has "
                f"{len(header)} (columns separated by {_named(found)}).",
                "Correct that line (is a quote or a separator missing?). If another character "
                f"separates the columns, give it as {arg('sep')}.",
            )
    table = pd.DataFrame(rows, columns=header, dtype="str")
    table.attrs["sep"] = found
    table.attrs["line"] = lines
    return table


def read_typed(
    path: str | os.PathLike[str],
    wanted: Sequence[str] = (),
    *,
    texts: Sequence[str] = (),
    sep: str | None = None,
    encoding: str | None = None,
    ours: bool = False,
) -> pd.DataFrame:
    """Read a CSV file as a table in which ids are text and columns of numbers are numbers.

    Empty cells are missing, and so is NA except in columns of ids. A column remains text if
    numbers would lose some of its content ("007", "1e5", sixteen digits).

    Parameters
    ----------
    path, wanted, sep, encoding, ours : see :func:`read_texts`
    texts : sequence of str
        Further columns that remain text.
    """
    table = read_texts(path, wanted, sep=sep, encoding=encoding, ours=ours)
    comma = table.attrs["sep"] != ","
    keep = {*ID_COLUMNS, "path", "file", *texts}
    made = {
        name: column.mask(column == "", None)
        if name in keep
        else typed(column.tolist(), decimal_comma=comma)
        for name, column in table.items()
    }
    return pd.DataFrame(made, index=table.index)


def as_number(texts: pd.Series[Any], *, decimal_comma: bool = False) -> pd.Series[Any]:
    """Texts as numbers, NaN for texts that are none; the locale has no influence."""
    plain = texts.str.strip()
    if decimal_comma:
        plain = plain.map(_with_point)
    valid = plain.map(lambda text: isinstance(text, str) and bool(_NUMBER.fullmatch(text)))
    return plain.where(valid).astype("float64")


def known_texts(values: pd.Series[Any]) -> pd.Series[Any]:
    """A column in which an empty text is missing, as in tables that are read from files."""
    if not (values.dtype == object or isinstance(values.dtype, pd.StringDtype)):
        if not isinstance(values.dtype, pd.CategoricalDtype) or "" not in values.cat.categories:
            return values
        return values.cat.remove_categories([""])
    blank = (values == "").fillna(False).to_numpy(dtype=bool)
    return values.mask(blank, None) if blank.any() else values


def with_known_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its empty texts as missing values."""
    return table.assign(**{str(name): known_texts(column) for name, column in table.items()})


def id_texts(values: pd.Series[Any], name: str = "image_id") -> pd.Series[Any]:
    """Ids as text: 300000 and 300000.0 become "300000"; missing and empty ids are missing.

    Raises
    ------
    ImagestrataError
        If ids were read as numbers and have lost digits.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_integer_dtype(values.dtype):
        return values.astype("str")
    if isinstance(values.dtype, pd.StringDtype):
        return known_texts(values).astype("str")
    if pd.api.types.is_float_dtype(values):
        numbers = values.dropna().astype("float64")
        rounded = numbers[(numbers.abs() >= _EXACT) | (numbers % 1 != 0)]
        if len(rounded):
            raise ImagestrataError(
                f"The column {quote(name)} contains {quote(rounded.iloc[0])}: its ids were read as "
                "numbers and may have lost digits.",
                f"Read {quote(name)} as text, not as numbers, when you read the file.",
            )

    def text(value: Any) -> Any:
        if isinstance(value, str):
            return value or None
        if value is None or value is pd.NA or value != value:
            return None
        if isinstance(value, float | np.floating):
            return f"{value:.0f}"
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)

    plain = values.astype(object).map(text)
    return plain.where(plain.notna(), None).astype("str")


def varying(table: pd.DataFrame, keys: Any) -> list[Any]:
    """The columns of a table in which rows with the same key have different values."""
    key = pd.factorize(keys)[0]
    return [
        name
        for name in table
        if pd.DataFrame({"key": key, "value": _comparable(table[name])})
        .drop_duplicates()["key"]
        .duplicated()
        .any()
    ]


def _comparable(column: pd.Series[Any]) -> Any:
    """The values of a column, of which those that are lists become text."""
    texts = column.map(repr) if column.dtype == object else column
    return texts.mask(column.isna(), None).to_numpy() if column.dtype == object else texts.array


def check_table(
    name: str, given: Any, needed: Sequence[str], maker: str, *, whole: Sequence[str] = ()
) -> pd.DataFrame:
    """Check that a table has certain columns, and return it with its ids as text.

    Parameters
    ----------
    name : str
        Name of the argument.
    given : Any
    needed : sequence of str
        Columns that the table must have.
    maker : str
        The verb that returns such tables.
    whole : sequence of str
        Columns without missing values. If there are any, the table must have a row.
    """
    if not isinstance(given, pd.DataFrame):
        raise ImagestrataError(
            f"{arg(name)} must be a table with the columns {', '.join(needed)}, such as "
            f"{verb(maker)} returns, not {kind_of(given)}."
        )
    missing = [column for column in needed if column not in given]
    if missing:
        raise ImagestrataError(
            f"{arg(name)} lacks the column {quote(missing[0])}; it has "
            f"{', '.join(map(str, given))}.",
            f"Give a table such as {verb(maker)} returns.",
        )
    if whole and not len(given):
        raise ImagestrataError(f"{arg(name)} has no rows.")
    table = with_text_ids(given)
    gaps = int(with_known_texts(table[[*whole]]).isna().any(axis=1).sum())
    if gaps:
        raise ImagestrataError(
            f"{gaps} of {plural(len(given), 'row')} of {arg(name)} have missing values in "
            f"{', '.join(whole)}."
        )
    return table


def _without_arrow(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of NumPy's types where pandas keeps them in Arrow's.

    Formulas and periods of time do not know the latter. Whole-number ids stay: with missing cells
    they would become floats.
    """
    if not any(isinstance(dtype, pd.ArrowDtype) for dtype in table.dtypes):
        return table
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    for place, column in enumerate(columns):
        is_id = column.name in ID_COLUMNS and pd.api.types.is_integer_dtype(column.dtype)
        if isinstance(column.dtype, pd.ArrowDtype) and not is_id:
            columns[place] = _from_arrow(column).set_axis(column.index).rename(column.name)
    return pd.concat(columns, axis=1)


def _with_plain_types(table: pd.DataFrame) -> pd.DataFrame:
    """The table with numbers and truth values in columns of their own types.

    Columns of Python objects, which hold numbers in some tables with missing cells, would be taken
    for text. Numbers of clusters may have been read as text: "-1" is the residual.
    """
    made: dict[Any, Any] = {}
    for name, column in table.items():
        if name in ID_COLUMNS:
            continue
        if column.dtype == object and _KINDS.get(infer_dtype(column, skipna=True)):
            made[name] = _of_plain_type(column)
        elif name in ("cluster", "theme") and not pd.api.types.is_numeric_dtype(column.dtype):
            numbers = pd.to_numeric(column.astype(object), errors="coerce")
            texts = column.dropna().map(str)
            if len(texts) and texts.map(lambda text: bool(_WHOLE.fullmatch(text))).all():
                made[name] = numbers.astype("float64" if numbers.isna().any() else "int64")
    return table.assign(**made) if made else table


def _of_plain_type(column: pd.Series[Any]) -> pd.Series[Any]:
    kind: Any = _KINDS[infer_dtype(column, skipna=True)]
    if column.isna().any():  # as floats, whole numbers of many digits would be rounded
        kind = {"int64": "Int64", "bool": "boolean"}.get(kind, kind)
    try:
        plain = column.where(column.notna(), np.nan if kind == "float64" else None)
        return pd.Series(plain.astype(kind))
    except (OverflowError, TypeError, ValueError):
        return column  # numbers beyond 64 bits


def with_text_ids(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all its ids as text, and numbers and truth values as such.

    An index that has the name of a column is dropped.
    """
    if {*map(str, filter(None, table.index.names))} & {*map(str, table.columns)}:
        table = table.reset_index(drop=True)
    table = _with_plain_types(_without_arrow(table))
    wrong = {
        name: id_texts(table[name], str(name))
        for name in ID_COLUMNS
        if name in table
        # The user may have ordered the groups, or have numbers.
        and not (name == "group" and _is_a_group(table[name]))
        and not (isinstance(table[name].dtype, pd.StringDtype) and not (table[name] == "").any())
    }
    return table.assign(**wrong) if wrong else table


def _is_a_group(column: pd.Series[Any]) -> bool:
    """Whether a column "group" holds something other than ids."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    return pd.api.types.is_float_dtype(column.dtype) and bool((column.dropna() % 1 != 0).any())


def with_file(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of file names, without folders, behind the column of paths."""
    if "path" not in table:
        return table
    names = pd.Series(
        [re.split(r"[/\\]", path)[-1] if isinstance(path, str) else None for path in table["path"]],
        index=table.index,
        dtype="str",
    )
    rest = table.drop(columns="file") if "file" in table else table.copy(deep=False)
    rest.insert([*rest].index("path") + 1, "file", names)
    return rest


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert an Arrow table to pandas; whole numbers remain whole if some are missing."""
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


def keep_given(table: pd.DataFrame, made: Sequence[str], what: str) -> pd.DataFrame:
    """Rename columns of a user's table that have the name of a column of ours, with a warning.

    Parameters
    ----------
    table : DataFrame
    made : sequence of str
        Names of the columns that this package adds.
    what : str
        What adds them, for the message.
    """
    names = {str(name) for name in table} | set(made)
    renamed = {}
    for name in table:
        if name in made:
            new, number = f"{name}_given", 1
            while new in names:
                number += 1
                new = f"{name}_given_{number}"
            names.add(new)
            renamed[name] = new
    if renamed:
        listed = ", ".join(f"{quote(old)} is now {quote(new)}" for old, new in renamed.items())
        warn(
            f"The table has columns with names that {what} uses itself; yours are renamed: "
            f"{listed}."
        )
    return table.rename(columns=renamed)


def _decoded(data: bytes, file: Path, encoding: str | None) -> str:
    if encoding is not None:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except LookupError:
            raise ImagestrataError(
                f"The encoding {quote(encoding)} is unknown.",
                "Give for example utf-8, cp1252 or utf-16.",
            ) from None
        except UnicodeDecodeError as error:
            raise ImagestrataError(
                f"Line {_line_at(data, error.start)} of {quote(file)} is not text in the encoding "
                f"{quote(encoding)}.",
                f"Give another {arg('encoding')}, or save the file as CSV UTF-8.",
            ) from None
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], file, name)
    wide = _unmarked_wide(data)
    if wide:
        return _decoded(data, file, wide)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = _line_at(data, error.start)
        lenient = data.decode("utf-8", "replace")
        broken = lenient.count("\ufffd")
        whole = sum(1 for character in lenient if character > "\x7f") - broken
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = None
        if whole > broken or text is None:
            raise ImagestrataError(
                f"Line {line} of {quote(file)} is not valid UTF-8 text.",
                f"Save the file as CSV UTF-8, or give its {arg('encoding')}.",
            ) from None
    warn(
        f"{quote(file)} is not UTF-8 (line {line}); it is read as cp1252, the encoding of Windows "
        f"in western Europe. If letters look wrong, give the right {arg('encoding')}."
    )
    return text


def _unmarked_wide(data: bytes) -> str | None:
    """Detect UTF-16 without a mark, in which every other byte of plain text is NUL."""
    head = data[:4096]
    half = len(head) // 2
    if half and head[1::2].count(0) > 0.4 * half > head[::2].count(0) * 10:
        return "utf-16-le"
    if half and head[::2].count(0) > 0.4 * half > head[1::2].count(0) * 10:
        return "utf-16-be"
    return None


def _line_at(text: str | bytes, place: int) -> int:
    before = text[:place] if isinstance(text, bytes) else text[:place].encode()
    return 1 + max(before.count(b"\n"), before.count(b"\r"))


def _guess(text: str, wanted: Sequence[str], file: Path) -> str:
    """The separator for which the header has the wanted columns and all lines have equal length."""
    scores = {}
    for separator in SEPARATORS:
        records = []
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        broken = False
        try:
            for record in reader:
                if any(cell.strip() for cell in record):
                    records.append(record)
                if len(records) >= _LOOKED_AT:
                    break
        except csv.Error:
            broken = True
        if not records:
            continue
        header = {cell.strip().lower() for cell in records[0]}
        known = sum(name.lower() in header for name in wanted)
        width = len(records[0])
        steady = width > 1 and not broken and all(len(one) == width for one in records)
        scores[separator] = (known, steady, width)
    if not scores:
        return ","
    most = max(score[:2] for score in scores.values())
    best = [name for name, score in scores.items() if score[:2] == most and score[2] > 1]
    if len(best) > 1 and most[1]:
        raise ImagestrataError(
            f"The columns of {quote(file)} may be separated by "
            f"{' or by '.join(_named(one) for one in best)}: both fit.",
            f"Give the separator as {arg('sep')}.",
        )
    return max(best, key=lambda name: scores[name][2]) if best else ","


def _parse(
    text: str, separator: str, file: Path, first_line: int, cell_of: Callable[[str], str]
) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records, lines = [], []
    begin = 1
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                records.append([bare(cell_of(cell)) for cell in record])
                lines.append(begin + first_line)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ImagestrataError(
            f"The row that begins in line {begin + first_line} of {quote(file)} cannot be read "
            f"({error}): a quote is not closed, or is in the wrong place.",
            'Inside a cell in quotes, write each quote twice: "a ""b"" c".',
        ) from None
    return records, lines


def _check_header(header: Sequence[str], file: Path) -> None:
    twice = [name for name, n in Counter(filter(None, header)).items() if n > 1]
    if twice:
        raise ImagestrataError(
            f"{quote(file)} has more than one column {quote(twice[0])}"
            + (f" (and {len(twice) - 1} more such names)." if len(twice) > 1 else "."),
            "Rename or drop all of them but one.",
        )


def label_texts(labels: pd.Series[Any]) -> pd.Series[str]:
    """Labels as text: True, 1 and 1.0 are "1"; missing and empty labels are missing."""

    def text(value: Any) -> str | None:
        if pd.isna(value):
            return None
        if isinstance(value, bool | np.bool_):
            return str(int(value))
        if isinstance(value, float | np.floating):
            number = float(value)
            return str(int(number)) if number.is_integer() else repr(number)
        return str(value) or None

    return pd.Series([text(one) for one in labels], index=labels.index, dtype="str")


def tell_alike(labels: pd.Series[str], codes: pd.Series[str]) -> None:
    """Warn if two labels of a code differ only in capitals or spaces: they would count as two."""
    pairs = pd.DataFrame({"code": codes, "label": labels}).dropna().drop_duplicates()
    spelled = pairs["label"].str.split().str.join(" ").str.casefold()
    groups = pairs.groupby([pairs["code"], spelled], sort=False)["label"]
    alike = groups.transform("size") > 1
    if not alike.any():
        return
    first = pairs[alike].iloc[0]
    same = alike & (pairs["code"] == first["code"]) & (spelled == spelled[alike].iloc[0])
    n = int(groups.ngroups) - int((~alike).sum())
    warn(
        f"Labels of {quote(first['code'])} differ only in capitals or spaces and count as "
        f"different: {', '.join(map(quote, pairs['label'][same]))}"
        + (f", and {n - 1} more." if n > 1 else "."),
        "Write them alike if they mean the same.",
    )


def typed(texts: list[str], *, decimal_comma: bool = False) -> pd.Series[Any]:
    """A column as numbers or logical values if all texts are such, otherwise as texts."""
    column = pd.Series(texts, dtype=object)
    column = column.where(~column.isin(["", "NA"]), None)
    known = column.dropna()
    if known.empty:
        return pd.Series([np.nan] * len(column))
    plain = known.map(_with_point) if decimal_comma else known
    if plain.map(lambda text: bool(_PLAIN_NUMBER.fullmatch(text))).all():
        numbers = pd.to_numeric(plain)
        if numbers.dtype.kind == "f":  # to_numeric() of pandas 3.0 leaves out digits
            numbers = plain.astype("float64")
        return numbers if len(numbers) == len(column) else numbers.reindex(column.index)
    if {*known.str.lower()} <= {"true", "false"}:
        return (
            column.map({"true": True, "false": False}.get, na_action="ignore")
            if len(known) < len(column)
            else column.str.lower().eq("true")
        )
    return column.astype("str")


def _with_point(text: Any) -> Any:
    if isinstance(text, str) and _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    return text


def _named(separator: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs"}.get(separator, quote(separator))
