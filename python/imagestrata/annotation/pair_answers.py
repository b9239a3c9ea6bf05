"""Take annotators' answers back: from our page, from tables, from Label Studio."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..sampling.pairs import check_pairs
from ..tables import read_rows, text_of
from ..validate import check_choice, check_path
from ..verbs import public
from ..wording import arg, kind_of, quote
from .pair_export import SCALES

#: How a missing judgement is written, by us, by R and by pandas.
_NOTHING = ("", "NA", "nan")


@public
def read_pairs(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    pairs: pd.DataFrame,
    *,
    scale: str = "binary",
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Join annotators' answers to the pairs that they judged.

    Parameters
    ----------
    files : path or sequence of paths
        CSV files with the columns ``pair_id``, ``judgement`` and ``annotator``,
        such as the page of :func:`export_pairs` downloads; or JSON as Label
        Studio exports it (JSON or JSON-MIN). Where a file names no annotator,
        its own name stands for one. Columns may be separated by commas,
        semicolons or tabs.
    pairs : DataFrame
        What :func:`sample_pairs` returned.
    scale : {"binary", "graded"}, default "binary"
        The scale the pairs were exported with. A judgement is a number (0, 1;
        0, 1, 2) or the answer in words ("same", "loosely related").
    sep : str, optional
        What separates the columns of CSV files; by default commas, semicolons or tabs,
        whichever fits.
    encoding : str, optional
        Encoding of the files; by default UTF-8, or what a byte order mark says. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        The columns of the pairs, ``annotator`` and ``judgement`` (0, 1 or 2); one
        row per judgement, in the order of the pairs, whatever that of the files.

    Raises
    ------
    ImagestrataError
        If a file cannot be read or has no judgement, ids are unknown, judgements
        are off the scale, or an annotator contradicts herself. Always with counts.

    Notes
    -----
    The same answer given twice counts once. Pairs that nobody judged are absent
    from the result, and a warning counts them.
    """
    scale = check_choice("scale", scale, SCALES)
    pairs = check_pairs(pairs)
    answers = read_answers(files, sep=sep, encoding=encoding)
    _check_known(answers, pairs)
    answers["judgement"] = _numbers(answers, scale)
    answers = once(answers)
    order = pd.Series(range(len(pairs)), index=pairs["pair_id"])
    answers = answers.assign(order=answers["pair_id"].map(order)).sort_values(
        ["order", "annotator"]
    )
    table = pairs.iloc[answers["order"].to_numpy()].reset_index(drop=True)
    missing = len(pairs) - table["pair_id"].nunique()
    if missing:
        warn(f"{missing} of {plural(len(pairs), 'pair')} have no judgement.")
    return table.assign(**{name: answers[name].to_numpy() for name in ("annotator", "judgement")})


def read_answers(
    files: Any, key: str = "pair_id", *, sep: str | None = None, encoding: str | None = None
) -> pd.DataFrame:
    """Columns ``key``, annotator, judgement (text, never empty) and file; one row per answer."""
    paths = [files] if isinstance(files, str | os.PathLike) else list(files)
    if not paths:
        raise ImagestrataError(
            f"{arg('files')} is empty.", "Name the files with annotators' answers."
        )
    rows = [row for path in paths for row in _read(check_path("files", path), key, sep, encoding)]
    table = pd.DataFrame(rows, columns=[key, "annotator", "judgement", "file"])
    table = table[~table["judgement"].isin(_NOTHING)].reset_index(drop=True)
    if table.empty:
        raise ImagestrataError(
            f"There is no judgement in {_list(map(str, paths))}.",
            "The column `judgement` is empty, or an export holds no annotation that was "
            "submitted (predictions and skipped tasks are no answers).",
        )
    return table


def _read(
    file: Path, key: str, sep: str | None, encoding: str | None
) -> Iterator[tuple[str, str, str, str]]:
    """Key, annotator, judgement (as text, perhaps empty) and file of each answer."""
    if file.suffix.lower() == ".json" and key == "pair_id":
        answers = _json_answers(text_of(file, encoding), file)
    else:
        answers = _csv_answers(file, key, sep, encoding)
    for name, annotator, judgement in answers:
        yield name, annotator or file.stem, judgement, str(file)


def csv_rows(
    file: Path, wanted: Sequence[str], sep: str | None = None, encoding: str | None = None
) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV file, all text."""
    columns, rows, _, _ = read_rows(file, wanted, sep=sep, encoding=encoding)
    return columns, [dict(zip(columns, row, strict=True)) for row in rows]


def _csv_answers(
    file: Path, key: str, sep: str | None, encoding: str | None
) -> Iterator[tuple[str, str, str]]:
    columns, rows = csv_rows(file, (key, "judgement", "annotator"), sep, encoding)
    for needed in (key, "judgement"):
        if needed not in columns:
            raise ImagestrataError(
                f"{quote(file)} lacks the column {quote(needed)}; it has {', '.join(columns)}.",
                f"Answers are the columns {key}, annotator and judgement.",
            )
    for row in rows:
        yield row[key], row.get("annotator", ""), row["judgement"]


def _json_answers(text: str, file: Path) -> Iterator[tuple[str, str, str]]:
    """Answers from an export of Label Studio, whole (JSON) or short (JSON-MIN)."""
    try:
        tasks = json.loads(text)
        for task in tasks:
            if "annotations" not in task and "data" in task:  # predictions alone, or "completions"
                continue
            if "annotations" not in task:
                yield task["pair_id"], _text(task.get("annotator")), _text(task.get("judgement"))
                continue
            for annotation in task["annotations"]:
                if not annotation.get("was_cancelled"):
                    judgement = _choice(annotation["result"], task["data"]["pair_id"], file)
                    yield task["data"]["pair_id"], _person(annotation), judgement
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ImagestrataError):
            raise
        raise ImagestrataError(
            f"{quote(file)} is no export of Label Studio with our pairs ({kind_of(error)}: "
            f"{error}).",
            "Export the project as JSON, or as JSON-MIN.",
        ) from None


def _choice(results: list[dict[str, Any]], pair: Any, file: Path) -> str:
    for result in results:
        if result["from_name"] == "judgement":
            ticked = result["value"]["choices"]
            if len(ticked) > 1:
                raise ImagestrataError(
                    f"The pair {quote(pair)} in {quote(file)} has {len(ticked)} answers at once: "
                    f"{_list(map(quote, ticked))}.",
                    'Ask the annotator which is meant, and use choice="single" in the project.',
                )
            return _text(ticked[0])
    return ""


def _person(annotation: dict[str, Any]) -> str:
    """Who annotated: a number, or with some exports a description of the person."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person["id"]
    return _text(person)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check_known(answers: pd.DataFrame, pairs: pd.DataFrame) -> None:
    unknown = ~answers["pair_id"].isin(pairs["pair_id"])
    if unknown.any():
        first = answers[unknown].iloc[0]
        raise ImagestrataError(
            f"{int(unknown.sum())} of {plural(len(answers), 'judgement')} are of pairs that are "
            f"not among the {len(pairs)} given ones, {quote(first['pair_id'])} in "
            f"{quote(first['file'])} for one.",
            "Give the pairs that were exported, and the annotators' files unchanged.",
        )


def _numbers(answers: pd.DataFrame, scale: str) -> pd.Series[int]:
    words = {word: number for number, word in enumerate(SCALES[scale])}
    numbers = pd.to_numeric(answers["judgement"], errors="coerce")
    numbers = numbers.fillna(answers["judgement"].str.lower().map(words))
    off = ~numbers.isin(range(len(words)))
    if off.any():
        first = answers[off].iloc[0]
        wanted = ", ".join(f"{number} ({word})" for word, number in words.items())
        raise ImagestrataError(
            f"{int(off.sum())} of {plural(len(answers), 'judgement')} are off the scale {wanted}: "
            f"{quote(first['judgement'])} in {quote(first['file'])} for one.",
            f"Use {arg('scale', 'graded')} if 0, 1 and 2 were offered."
            if scale == "binary"
            else "",
        )
    return numbers.astype(int)


def once(answers: pd.DataFrame, key: str = "pair_id", what: str = "pairs") -> pd.DataFrame:
    """Each answer once; none may be contradicted."""
    answers = answers.drop_duplicates([key, "annotator", "judgement"])
    twice = answers.duplicated([key, "annotator"])
    if twice.any():
        first = answers[twice].iloc[0]
        contradictory = answers[twice][[key, "annotator"]].drop_duplicates()
        people = _list(sorted(contradictory["annotator"].unique()))
        raise ImagestrataError(
            f"{len(contradictory)} {what} have contradictory judgements by one annotator "
            f"({people}), {quote(first[key])} for one.",
            "Delete the wrong rows. If two people used one name, give each file's column "
            "`annotator` its own.",
        )
    return answers


def _list(names: Any, most: int = 5) -> str:
    given = list(names)
    return ", ".join(given[:most]) + (", ..." if len(given) > most else "")
