"""Packets as a survey for Qualtrics, whose one block is looped over the images of a packet."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

from ..errors import ImagestrataError, plural
from ..files import write_table, write_text
from ..names import Exclude
from ..progress import Progress
from ..validate import check_int
from ..verbs import public
from ..wording import arg
from . import survey


@public
def export_qualtrics(
    packets: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    base_url: str,
    items: Sequence[str] | pd.DataFrame | None = None,
    scale: tuple[int, int] = (0, 10),
    anchors: tuple[str, str] = ("not at all", "extremely"),
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 800,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Write packets as a survey for Qualtrics.

    Parameters
    ----------
    packets : DataFrame
        What :func:`assign_annotators` or :func:`reassign` returned, with ``path``.
    out : path
        A new folder for the files.
    base_url : str
        Where the folder ``images`` that is written here will be found on a server,
        such as ``"https://www.example.org/study/images"``: Qualtrics shows images
        from there. Nothing is uploaded.
    items, scale, anchors, question, warning, exclude, thumbnail, overwrite, progress :
        As in :func:`export_ratings_page`.

    Returns
    -------
    Path
        The folder, with

        - ``survey.txt``: the survey in Qualtrics' Advanced Format, to be imported;
        - ``loop-and-merge.csv``: the two fields of the block that is looped over the
          places of a packet: the image's id, and its address;
        - ``packets.csv``: one row per packet, its ``packet_id``, ``group``,
          ``image_1``, ``image_2``, ... as embedded data for contacts, and as
          ``parameters`` to be put behind the survey's link;
        - ``images``: copies without metadata, to be uploaded to ``base_url``;
        - ``how-to.txt``: the steps in Qualtrics that no file can take.

    Raises
    ------
    ImagestrataError
        If the folder holds other files, ids are no names for files, or no image is
        left to show.

    Notes
    -----
    There is one block of questions and one survey for all packets. Embedded data
    says who sees which images, the block is repeated for each, and so Qualtrics
    exports columns such as ``3_rating_2`` (place 3, item 2) and ``image_3``, which
    :func:`read_ratings` in R reads as they are.

    Advanced Format knows neither loops nor random order nor display logic, so these
    are set by hand, as ``how-to.txt`` says.
    """
    names = survey.check_items(items)
    low, high = survey.check_scale(scale)
    words = survey.check_anchors(anchors)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=4000)
    address = survey.check_base_url(base_url)
    asked = survey.QUESTION if question is None else question
    for name, text in [("question", asked), ("warning", warning or "")]:
        if "[[" in text:
            raise ImagestrataError(f"{arg(name)} must not have '[[', which is a mark of Qualtrics.")
    table = survey.allowed(packets, exclude)
    folder = survey.check_out(out, overwrite, table)
    table, pictures = survey.with_pictures(table, thumbnail, progress)

    tables = ["survey.txt", "loop-and-merge.csv", "packets.csv", "how-to.txt"]
    files = [*tables, *survey.image_names(pictures)]
    survey.begin(folder, files)
    survey.write_images(folder, pictures)
    wide = _wide(table)
    places = range(1, int(table["position"].max()) + 1)
    note = f"{asked} ({low} = {words[0]}, {high} = {words[1]})"
    text = _survey(address, places, names, range(low, high + 1), note, warning)
    write_text(folder / "survey.txt", text)
    # Qualtrics reads both, and would take a guard against formulas for a part of the ids.
    write_table(folder / "loop-and-merge.csv", _loop(address, places), exact=True)
    write_table(folder / "packets.csv", wide, exact=True)
    uneven = table.groupby("packet_id").size().nunique() > 1
    write_text(folder / "how-to.txt", _how_to(address, len(places), uneven))
    survey.finish(folder, "qualtrics", files, items=names, scale=[low, high], question=asked)
    return folder


def _wide(packets: pd.DataFrame) -> pd.DataFrame:
    """One row per packet: its embedded data, and the same as parameters of a link."""
    rows = []
    for packet_id, packet in packets.groupby("packet_id", sort=False):
        fields = {"packet_id": packet_id, "group": packet["group"].iloc[0]}
        places = zip(packet["position"], packet["image_id"], strict=True)
        fields |= {f"image_{place}": image for place, image in places}
        rows.append(fields | {"parameters": urlencode(fields)})
    table = pd.DataFrame(rows).fillna("")
    return table[[name for name in table if name != "parameters"] + ["parameters"]]


def _loop(address: str, places: range) -> pd.DataFrame:
    ids = [f"${{e://Field/image_{place}}}" for place in places]
    return pd.DataFrame({"Field 1": ids, "Field 2": [f"{address}/{name}.jpg" for name in ids]})


def _survey(
    address: str,
    places: range,
    items: Sequence[str],
    scale: range,
    question: str,
    warning: str | None,
) -> str:
    """The survey in Advanced Format. Numbers of choices and answers are those in the data."""
    start = [f"You will see {plural(len(places), 'image')}, one after the other."]
    if warning:
        start.insert(0, f"<strong>{_line(warning)}</strong>")
    image = (
        f'<img src="{address}/${{lm://Field/1}}.jpg" alt="The image to rate" '
        'style="display: block; max-width: 100%; max-height: 60vh; margin: 0 auto 16px">'
    )
    lines = [
        "[[AdvancedFormat]]",
        "",
        *(f"[[ED:{name}]]" for name in ("packet_id", "group")),
        *(f"[[ED:image_{place}]]" for place in places),
        "",
        "[[Block:Start]]",
        "",
        "[[Question:DB]]",
        "[[ID:start]]",
        "<br><br>".join(start),
        "",
        "[[Block:Images]]",
        "",
        "[[Question:Matrix]]",
        "[[ID:rating]]",
        f"{image}{_line(question)}",
        "[[AdvancedChoices]]",
    ]
    for number, item in enumerate(items, start=1):
        lines += [f"[[Choice:{number}]]", _line(item)]
    lines.append("[[AdvancedAnswers]]")
    for value in scale:
        lines += [f"[[Answer:{value}]]", str(value)]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """Text as one line of HTML, which is what questions are made of."""
    return "<br>".join(html.escape(text, quote=False).splitlines())


def _how_to(address: str, n_places: int, uneven: bool) -> str:
    steps = [
        f"Upload the files of the folder `images` to {address}/ and open one of these addresses "
        "in a browser to see that it works.",
        "In Qualtrics: create a survey from a file, `survey.txt`.",
        f"Block `Images`: turn on Loop & Merge with {n_places} loops and two fields, and copy the "
        "two columns of `loop-and-merge.csv` into them. Leave the order of loops as it is: the "
        "order of images in a packet is random already.",
        "Question `rating`: randomise the order of its statements. Do not force answers, so that "
        "an image can be skipped; at most request them.",
        "Give each respondent a packet of the right group, each packet once: either import "
        "`packets.csv` with your contacts as embedded data, or put the column `parameters` behind "
        "the survey's link (https://...?packet_id=p001&...).",
        "Preview the survey with one packet's parameters before it goes out.",
        "Export the data as CSV and read it in R with read_ratings(). Numbers or texts of "
        "answers: both are the ratings themselves.",
    ]
    if uneven:
        steps.insert(
            4,
            f"Some packets have fewer than {plural(n_places, 'image')}: give the question `rating` "
            "the display logic that Loop & Merge field 1 is not empty.",
        )
    numbered = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    return "A survey for Qualtrics, in steps\n\n" + "\n".join(numbered) + "\n"
