"""`serve`, `answers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import imagestrata

from .options import Settings
from .output import Said, show

Forms = Annotated[
    Path,
    typer.Argument(
        help="The folder that `assign` or `pairs` wrote with --to server, or its run folder."
    ),
]
Answers = Annotated[Path, typer.Argument(help="The CSV file to write.")]


def serve(folder: Forms, settings: Settings) -> Said:
    """Hand out forms to annotators in their browsers, and keep their answers, until Ctrl-C."""
    from ..annotation.collecting.serve import check_choices, run_server

    def say(started: dict[str, Any]) -> None:
        links = [f"{group or 'Annotators'}: {link}" for group, link in started["links"].items()]
        show(
            started,
            settings.as_json,
            *links,
            f"Progress, for you alone: {started['researcher']}",
            "Ctrl-C stops the server. Answers are kept, and the same command continues.",
        )

    chosen = check_choices(folder, **settings("serve_forms"))
    run_server(chosen, say)
    return {"stopped": True}, "The server has stopped. All answers are kept."


def answers(folder: Forms, out: Answers, settings: Settings) -> Said:
    """Write the answers that a server collected, as the file that other commands read."""
    from ..annotation.collecting.collected import people_file

    file = imagestrata.export_answers(folder, out, **settings("export_answers"))
    people = people_file(file)
    summary = {"answers": str(file), "people": str(people)}
    return summary, f"Answers: {file}", f"People: {people}"
