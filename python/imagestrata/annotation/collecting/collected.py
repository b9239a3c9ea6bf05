"""The answers that a server of forms has collected, as the tables that readers expect."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import ImagestrataError
from ...files import write_table
from ...validate import check_bool
from ...verbs import public
from ...wording import quote, verb
from ..export import check_file
from .folder import ANSWERS, Forms, find_export, read_forms
from .store import Collected, collected


@public
def export_answers(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Path:
    """Export the answers that a server collected.

    Parameters
    ----------
    folder : path
        The folder that :func:`export_packets`, :func:`export_labels` or :func:`export_pairs`
        wrote with ``to="server"``, or a run folder that contains one.
    out : path
        The CSV file to write. :func:`read_ratings`, :func:`read_labels` or :func:`read_pairs`
        reads it.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The file. It has the columns of the files that pages without a server save: one row per
        image and item for ratings, one per image for labels, one per pair for judgements. A
        person's last answer counts. The file ``...-people.csv`` beside it has one row per person:
        her code, group and packet, when she began, gave her last answer and finished (UTC), how
        many tasks are done, and her completion code.

    Raises
    ------
    ImagestrataError
        If the folder has no export for a server, nobody has answered, or the file exists.

    Notes
    -----
    The server may run meanwhile. Answers of people who did not finish are included. If a set was
    given to a second person because the first one was idle, and the first one returned, the answers
    of both are included.

    See Also
    --------
    serve_forms : collect answers.
    """
    place = find_export(folder)
    file = check_file(out, ".csv", check_bool("overwrite", overwrite))
    if not (place / ANSWERS).exists():
        raise _no_answers(place)
    forms = read_forms(place)
    found = collected(place / ANSWERS)
    answers = answers_of(forms, found)
    if answers.empty:
        raise _no_answers(place)
    write_table(people_file(file), people_of(forms, found))
    write_table(file, answers)
    return file


def people_file(file: Path) -> Path:
    """The path of the table of people beside a file of answers."""
    return file.with_name(f"{file.stem}-people.csv")


def answers_of(forms: Forms, found: Collected) -> pd.DataFrame:
    """The last answer of each person to each task, in the columns of the form."""
    people = {person.id: person for person in found.people}
    rows: list[tuple[Any, ...]] = []
    for answer in found.answers:
        person = people[answer.person]
        value = json.loads(answer.value)
        rows += forms.kind.rows(forms.sheets[person.sheet], answer.task, person.code, value)
    fields = [*next(iter(forms.sheets.values())).fields]
    return pd.DataFrame(rows, columns=list(forms.kind.columns(fields)), dtype=object)


def people_of(forms: Forms, found: Collected) -> pd.DataFrame:
    """One row per person."""
    done = Counter(answer.person for answer in found.answers if answer.done)
    rows = [
        {
            forms.person: person.code,
            "group": person.grp,
            "packet_id": person.sheet,
            "begun": _time(person.begun),
            "seen": _time(person.seen),
            "finished": _time(person.finished),
            "n_done": done[person.id],
            "completion_code": person.completion or "",
        }
        for person in found.people
    ]
    return pd.DataFrame(rows)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")


def _no_answers(folder: Path) -> ImagestrataError:
    return ImagestrataError(
        f"Nobody has answered the forms in {quote(folder)} yet.",
        f"{verb('serve_forms', str(folder))} hands them out.",
    )
