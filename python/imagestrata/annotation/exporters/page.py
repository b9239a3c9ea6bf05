"""Pages that contain their images, open in any browser and send no data."""

from __future__ import annotations

from functools import partial

from ...page import write_page
from ..form import Files, Form, Pictures


def files(form: Form, pictures: Pictures) -> Files:
    """A page for each sheet."""
    return form.in_sheets(
        ".html",
        lambda tasks: partial(
            write_page,
            kind=form.kind,
            data=form.page(tasks, pictures),
            title=form.title,
            question=form.question,
            warning=form.warning,
        ),
    )
