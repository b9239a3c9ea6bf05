"""Reading of answers to all forms.

Files are CSV with any common encoding and separator, or exports of Label Studio. Missing,
repeated and contradictory answers, and answers to other tasks, are reported in the same way for
all forms.
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
from ..wording import arg, quote, verb
from .exporters.labelstudio import read_tasks

#: Notations of a missing answer: ours, that of R and that of pandas.
NOTHING = ("", "NA", "nan")
_GIVEN = "the table"
#: Files of our exports that do not contain answers.
_OURS = ("export.json", "forms.json", "packets.csv", "secrets.json", "tasks.json")


class Asked(NamedTuple):
    """The columns of the answers to a form, and the words for them in messages.

    Attributes
    ----------
    id : str
        Column with the id of the task.
    unit : str
        Word for a task.
    answer : str
        Column of the answer.
    said : str
        Word for an answer.
    person : str
        Column of the respondent or annotator.
    also : tuple of str
        Columns that together with ``id`` name one answer of a person.
    named : bool
        Whether each answer must name its respondent; otherwise the name of a file without
        names identifies a person.
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
        """Word for a person."""
        return self.person.removesuffix("_id")


def read_tables(
    files: Any,
    wanted: Sequence[str],
    *,
    sep: str | None = None,
    encoding: str | None = None,
    numbers: Sequence[str] = (),
    skipped: bool = False,
) -> list[pd.DataFrame]:
    """Read all tables as text, with the column ``file``.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        A folder represents all files in it.
    wanted : sequence of str
        Expected columns, by which the separator is detected.
    sep, encoding : str, optional
    numbers : sequence of str
        Columns in which decimal commas become points, unless commas separate columns.
    skipped : bool, default False
        Whether tasks that were skipped in Label Studio have rows.
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
            rows = read_tasks(text_of(file, encoding), file, skipped=skipped)
            table = pd.DataFrame(rows, dtype="str").fillna("")
        else:
            table = read_texts(file, wanted, sep=sep, encoding=encoding)
            for name in numbers if table.attrs["sep"] != "," else ():
                if name in table:
                    found = as_number(table[name], decimal_comma=True)
                    table[name] = table[name].where(found.isna(), found.astype(str))
        tables.append(table.assign(file=str(file)))
    return tables


def answered(tables: Iterable[pd.DataFrame], asked: Asked) -> pd.DataFrame:
    """The rows with an answer and its person.

    Raises
    ------
    ImagestrataError
        If a table lacks a column, no table has an answer, or an answer has no person.
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
    empty = answers[asked.answer].fillna("").isin(NOTHING)
    if empty.all():
        names = sorted({table["file"].iloc[0] for table in whole if len(table)})
        raise ImagestrataError(
            f"No {asked.said} was found in {some(names) if names else 'the files'}.",
            f"The column `{asked.answer}` is empty, or the export contains no submitted annotation "
            "(predictions and skipped tasks are not answers).",
        )
    answers = answers[~empty].reset_index(drop=True)
    nobody = answers[asked.person].fillna("") == ""
    refuse(answers, nobody, f"name no {asked.who}", asked.id, asked.said)
    return answers


def need_columns(table: pd.DataFrame, needed: Iterable[str], asked: Asked) -> None:
    """Raise an error for a table without the columns of its form."""
    missing = [name for name in needed if name not in table]
    if missing:
        there = ", ".join(str(name) for name in table if name != "file")
        where = quote(table["file"].iloc[0]) if len(table) else "A file"
        raise ImagestrataError(
            f"{where} lacks the column {quote(missing[0])}; it has {there}.",
            f"Give the file that the page saved, with all its columns: each {asked.said} needs "
            f"{', '.join(needed)}.",
        )


def refuse(
    answers: pd.DataFrame, wrong: pd.Series[bool], what: str, column: str, said: str, hint: str = ""
) -> None:
    """Raise an error for wrong answers, with their number and the first one."""
    if wrong.any():
        first = answers[wrong].iloc[0]
        raise ImagestrataError(
            f"{int(wrong.sum())} of {plural(len(answers), said)} {what}: {quote(first[column])} "
            f"in {quote(first['file'])} for one.",
            hint or "Correct those rows in the file, or leave them out.",
        )


def check_known(answers: pd.DataFrame, known: Collection[str], asked: Asked) -> None:
    """Raise an error for answers to another export; warn about tasks without an answer."""
    refuse(
        answers,
        ~answers[asked.id].isin(known),
        f"are about {asked.unit}s that are not among the {len(known)} of this export",
        asked.id,
        asked.said,
        "Give the key of the export that was answered, and the files unchanged. Spreadsheet "
        "programs change ids that look like numbers: open the CSV there with all columns as text.",
    )
    missing = len(known) - answers[asked.id].nunique()
    if missing:
        warn(f"{missing} of {plural(len(known), asked.unit)} have no {asked.said}.")


def once(answers: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """Remove repeated answers; raise an error if a person contradicts herself."""
    one = [asked.id, *asked.also, asked.person]
    answers = answers.drop_duplicates([*one, asked.answer])
    twice = answers[answers.duplicated(one)]
    if len(twice):
        n = len(twice[[asked.id, asked.person]].drop_duplicates())
        raise ImagestrataError(
            f"{plural(n, f'{asked.unit} has', f'{asked.unit}s have')} contradictory {asked.said}s "
            f"by one {asked.who} ({some(sorted(twice[asked.person].unique()))}), "
            f"{quote(twice[asked.id].iloc[0])} for one.",
            "Delete the wrong rows. If two persons used the same name, write different names in "
            f"the columns `{asked.person}` of their files.",
        )
    return answers.reset_index(drop=True)


def _inside(path: Path) -> list[Path]:
    """The file, or the files in a folder that can contain answers."""
    if not path.is_dir():
        return [path]
    found = [
        file
        for file in sorted(path.iterdir())
        if file.suffix.lower() in (".csv", ".tsv", ".json")
        and file.name not in _OURS
        and not file.name.endswith(("-key.csv", "-people.csv"))
    ]
    if not found and (path / "forms.json").exists():
        raise ImagestrataError(
            f"{quote(path)} is a folder of a server of forms.",
            f"Export its answers with {verb('export_answers', str(path))} and read that file.",
        )
    if not found:
        raise ImagestrataError(f"{quote(path)} contains no file that ends in .csv, .tsv or .json.")
    return found
