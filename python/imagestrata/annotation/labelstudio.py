"""Packets as tasks for Label Studio."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pandas as pd

from ..files import write_json, write_text
from ..names import Exclude
from ..progress import Progress
from ..validate import check_int
from ..verbs import public
from . import survey


@public
def export_labelstudio(
    packets: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    items: Sequence[str] | pd.DataFrame | None = None,
    scale: tuple[int, int] = (0, 10),
    anchors: tuple[str, str] = ("not at all", "extremely"),
    question: str | None = None,
    warning: str | None = None,
    base_url: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 800,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Write packets as tasks for Label Studio.

    Parameters
    ----------
    packets : DataFrame
        What :func:`assign_annotators` or :func:`reassign` returned, with ``path``.
    out : path
        A new folder for the files.
    items, scale, anchors, question, warning, exclude, thumbnail, overwrite, progress :
        As in :func:`export_ratings_page`.
    base_url : str, optional
        Where the folder ``images`` will be found on a server. By default images
        are embedded in the tasks, which makes a file of some 100 kB per task.

    Returns
    -------
    Path
        The folder, with ``tasks.json`` to import, ``config.xml``, the labelling
        configuration, and with ``base_url`` a folder ``images`` to upload there.

    Raises
    ------
    ImagestrataError
        If the folder holds other files, or no image is left to show.

    Notes
    -----
    A task is one image of one packet, and its data has ``packet_id``, ``group``,
    ``position``, ``image_id`` and ``image``: filter by ``packet_id`` to give
    somebody a packet. Items are always in the same order, since Label Studio
    shuffles none; the rating page and Qualtrics can.
    """
    names = survey.check_items(items)
    low, high = survey.check_scale(scale)
    words = survey.check_anchors(anchors)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=4000)
    address = None if base_url is None else survey.check_base_url(base_url)
    table = survey.allowed(packets, exclude)
    folder = survey.check_out(out, overwrite, table)
    table, pictures = survey.with_pictures(table, thumbnail, progress)

    hosted = [] if address is None else survey.image_names(pictures)
    files = ["tasks.json", "config.xml", *hosted]
    survey.begin(folder, files)
    if address is not None:
        survey.write_images(folder, pictures)
        pictures = {image_id: f"{address}/{image_id}.jpg" for image_id in pictures}
    columns = ["packet_id", "group", "position", "image_id"]
    rows = table[columns].to_dict("records")
    tasks = [{"data": {**row, "image": pictures[row["image_id"]]}} for row in rows]
    write_json(folder / "tasks.json", tasks)
    asked = survey.QUESTION if question is None else question
    note = f"{low} = {words[0]}, {high} = {words[1]}"
    texts = [*([warning] if warning else []), asked, note]
    write_text(folder / "config.xml", _configuration(texts, names, range(low, high + 1)))
    survey.finish(folder, "labelstudio", files, items=names, scale=[low, high], question=asked)
    return folder


def _configuration(texts: Sequence[str], items: Sequence[str], scale: range) -> str:
    """The labelling interface: the image, then a row of choices per item, named after it."""
    lines = [
        "<View>",
        *(f"  <Header value={quoteattr(text)}/>" for text in texts),
        '  <Image name="image" value="$image"/>',
    ]
    for item in items:
        lines += [
            f'  <Header value={quoteattr(item)} size="5"/>',
            f'  <Choices name={quoteattr(item)} toName="image" choice="single" showInline="true" '
            'required="true">',
            *(f'    <Choice value="{value}"/>' for value in scale),
            "  </Choices>",
        ]
    return "\n".join([*lines, "</View>"]) + "\n"
