"""Answers that people send back: the one reader of every form.

Files are CSV in any common encoding and separator, or what Label Studio exports. Answers that
are missing, given twice, contradictory, or to something else are told the same way everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..names import some
from ..tables import as_number, read_texts, text_of, with_text_ids
from ..validate import check_path
from ..wording import arg, quote
from .exporters.labelstudio import read_tasks

#: How a missing answer is written, by us, by R and by pandas.
_NOTHING = ("", "NA", "nan")
_GIVEN = "the table"
#: Files of our exports that are no answers.
_OURS = ("export.json", "packets.csv", "tasks.json")


class Asked(NamedTuple):
    """What a form asks, as columns and as words.

    Attributes
    ----------
    id : str
        The column that says what an answer is about.
    unit : str
        What that is.
    answer : str
        The column of the answer.
    said : str
        What an answer is called.
    person : str
        The column of who answered.
    also : tuple of str
        Columns that together with ``id`` name one answer of a person.
    named : bool
        Whether each answer must say who gave it; else the name of a file that names nobody
        stands for a person.
    """

    id: str
    unit: str
    answer: str = "judgement"
    said: str = "judgement"
    person: str = "annotator"
    also: tuple[str, ...] = ()
    named: bool = False

    @property
    def who(self) -> str:
        """What a person is called."""
        return self.person.removesuffix("_id")


def read_tables(
    files: Any,
    wanted: Sequence[str],
    *,
    sep: str | None = None,
    encoding: str | None = None,
    numbers: Sequence[str] = (),
) -> list[pd.DataFrame]:
    """Every table that was sent, all text, with the column ``file``.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        Folders count as the files in them.
    wanted : sequence of str
        Columns that are expected: they help to find the separator.
    sep, encoding : str, optional
    numbers : sequence of str
        Columns whose decimal commas become points, where they do not separate columns.
    """
    if isinstance(files, pd.DataFrame):
        given = with_text_ids(files)
        texts = given.astype(object).astype("str").where(given.notna(), "")
        return [texts.assign(file=_GIVEN)]
    if not isinstance(files, str | os.PathLike | Sequence):
        raise ImagestrataError(
            f"{arg('files')} must be files, a folder or a table, not {quote(files)}."
        )
    listed = [files] if isinstance(files, str | os.PathLike) else list(files)
    if not listed:
        raise ImagestrataError(f"{arg('files')} is empty.", "Name the files with answers.")
    tables = []
    for file in (file for path in listed for file in _inside(check_path("files", path))):
        if file.suffix.lower() == ".json":
            table = pd.DataFrame(read_tasks(text_of(file, encoding), file), dtype="str").fillna("")
        else:
            table = read_texts(file, wanted, sep=sep, encoding=encoding)
            for name in numbers if table.attrs["sep"] != "," else ():
                if name in table:
                    found = as_number(table[name], decimal_comma=True)
                    table[name] = table[name].where(found.isna(), found.astype(str))
        tables.append(table.assign(file=str(file)))
    return tables


def answered(tables: Iterable[pd.DataFrame], asked: Asked) -> pd.DataFrame:
    """The rows with an answer, and who gave it.

    Raises
    ------
    ImagestrataError
        If a table lacks a column, none has an answer, or one was given by nobody.
    """
    whole = []
    for table in tables:
        if table.empty and asked.id not in table:  # an export without annotations
            continue
        if asked.person not in table:
            table = table.rename(columns={"annotator": asked.person})
        given = (table["file"] == _GIVEN).any()
        who = (asked.person,) if asked.named or given else ()
        need_columns(table, (*who, asked.id, *asked.also, asked.answer), asked)
        if not who and (asked.person not in table or (table[asked.person] == "").all()):
            table = table.assign(**{asked.person: table["file"].map(lambda file: Path(file).stem)})
        whole.append(table)
    answers = pd.concat(whole, ignore_index=True) if whole else pd.DataFrame({asked.answer: []})
    empty = answers[asked.answer].fillna("").isin(_NOTHING)
    if empty.all():
        names = sorted({table["file"].iloc[0] for table in whole if len(table)})
        raise ImagestrataError(
            f"There is no {asked.said} in {some(names) if names else 'the files'}.",
            f"The column `{asked.answer}` is empty, or an export holds no annotation that was "
            "submitted (predictions and skipped tasks are no answers).",
        )
    answers = answers[~empty].reset_index(drop=True)
    nobody = answers[asked.person].fillna("") == ""
    refuse(answers, nobody, f"name no {asked.who}", asked.id, asked.said)
    return answers


def need_columns(table: pd.DataFrame, needed: Iterable[str], asked: Asked) -> None:
    """Refuse a table without the columns of its form."""
    missing = [name for name in needed if name not in table]
    if missing:
        there = ", ".join(str(name) for name in table if name != "file")
        where = quote(table["file"].iloc[0]) if len(table) else "A file"
        raise ImagestrataError(
            f"{where} lacks the column {quote(missing[0])}; it has {there}.",
            f"Give the file that the page makes, with all its columns: each {asked.said} needs "
            f"{', '.join(needed)}.",
        )


def refuse(
    answers: pd.DataFrame, wrong: pd.Series[bool], what: str, column: str, said: str, hint: str = ""
) -> None:
    """Refuse answers, with their number and the first."""
    if wrong.any():
        first = answers[wrong].iloc[0]
        raise ImagestrataError(
            f"{int(wrong.sum())} of {plural(len(answers), said)} {what}: {quote(first[column])} "
            f"in {quote(first['file'])} for one.",
            hint or "Correct those rows in the file, or leave them out.",
        )


def check_known(answers: pd.DataFrame, known: Collection[str], asked: Asked) -> None:
    """Refuse answers to another export, and say how many tasks nobody answered."""
    refuse(
        answers,
        ~answers[asked.id].isin(known),
        f"are about {asked.unit}s that are not among the {len(known)} of this export",
        asked.id,
        asked.said,
        "Give the key of the export that was answered, and the files unchanged. Spreadsheets "
        "change ids that look like numbers: there, open the CSV with all columns as text.",
    )
    missing = len(known) - answers[asked.id].nunique()
    if missing:
        warn(f"{missing} of {plural(len(known), asked.unit)} have no {asked.said}.")


def once(answers: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """Each answer once; nobody may contradict herself."""
    one = [asked.id, *asked.also, asked.person]
    answers = answers.drop_duplicates([*one, asked.answer])
    twice = answers[answers.duplicated(one)]
    if len(twice):
        n = len(twice[[asked.id, asked.person]].drop_duplicates())
        raise ImagestrataError(
            f"{plural(n, f'{asked.unit} has', f'{asked.unit}s have')} contradictory {asked.said}s "
            f"by one {asked.who} ({some(sorted(twice[asked.person].unique()))}), "
            f"{quote(twice[asked.id].iloc[0])} for one.",
            f"Delete the wrong rows. If two people used one name, give each file's column "
            f"`{asked.person}` its own.",
        )
    return answers.reset_index(drop=True)


def _inside(path: Path) -> list[Path]:
    """The file, or those in a folder that people can have filled in."""
    if not path.is_dir():
        return [path]
    found = [
        file
        for file in sorted(path.iterdir())
        if file.suffix.lower() in (".csv", ".tsv", ".json")
        and file.name not in _OURS
        and not file.name.endswith("-key.csv")
    ]
    if not found:
        raise ImagestrataError(f"{quote(path)} holds no file that ends in .csv, .tsv or .json.")
    return found
