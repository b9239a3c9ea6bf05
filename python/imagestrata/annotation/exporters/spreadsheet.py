"""Tables to be filled in with a spreadsheet program."""

from __future__ import annotations

from functools import partial

import pandas as pd

from ...files import write_table
from ..form import Files, Form, Pictures, Write


def files(form: Form, pictures: Pictures) -> Files:
    """A table for each sheet: its tasks, where their images lie, and empty columns for answers."""
    kind = "url" if any("://" in at for at in pictures.addresses.values()) else "path"
    empty = dict.fromkeys([form.person, *form.fields, *form.asides], "")

    def of(tasks: pd.DataFrame) -> Write:
        sides = {
            column.removeprefix("image").removesuffix("_id"): column
            for column in form.shown.values()
        }
        where = {
            f"{kind}{side}": tasks[column].map(pictures.addresses) for side, column in sides.items()
        }
        return partial(write_table, table=tasks.assign(**where, **empty))

    return form.in_sheets(".csv", of)
