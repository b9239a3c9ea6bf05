"""Pages on which people rate images, one file for each packet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..errors import ImagestrataError
from ..files import write_table
from ..names import Exclude
from ..page import write_page
from ..progress import Progress
from ..provenance import fingerprint
from ..validate import check_int
from ..verbs import public
from ..wording import quote
from . import survey


@public
def export_ratings_page(
    packets: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
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
    """Write a page for each packet on which somebody rates its images.

    Parameters
    ----------
    packets : DataFrame
        What :func:`assign_annotators` or :func:`reassign` returned, with ``path``.
    out : path
        A new folder for the pages.
    items : sequence of str or DataFrame, optional
        What images are rated on, or a table with the column ``item``. By default
        the paper's ten emotions.
    scale : (int, int), default (0, 10)
        Lowest and highest rating, whole numbers from 0 to 10. The paper has "1-10"
        in its text and an 11-point scale in its Figure 10, which is the default of
        every export, reader and rule.
    anchors : (str, str), default ("not at all", "extremely")
        What the ends of the scale mean. Ours: the paper does not give its words.
    question : str, optional
        What people are asked.
    warning : str, optional
        What they read before they see the first image, such as that some images
        show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that nobody is to see, by id, path or name of the file. A file has one on
        each line, or is a CSV table with such a column. An entry that is none of the images
        is an error, before anything is written.
    thumbnail : int, default 800
        Longer side of the embedded copies, in pixels. With it a page of eight
        photographs has roughly 1 MB.
    overwrite : bool, default False
        Replace an earlier export there; files of it that are no longer needed go.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder, with a page ``p001.html``, ... for each packet and
        ``packets.csv``, which says what page is for which group.

    Raises
    ------
    ImagestrataError
        If the folder holds other files, or no image is left to show.

    Notes
    -----
    One file per packet: it is small enough for a phone, shows nobody an image that
    is another's to rate, and there is no code to mistype. It opens from disk or from
    any web server, holds its images, and asks the network for nothing. It shows
    image after image with the items in random order, which stays the same for one
    person, so that the order averages out over people and not within one. Ratings
    are given by mouse, touch or keyboard, and an image may be skipped. Answers stay in
    that browser until they are removed there; nobody is shown who was there before, but
    whoever types a name or code sees that person's answers. They belong to this export,
    its question and its scale. They are downloaded as CSV, with ``respondent_id``,
    ``group``, ``packet_id``, ``position``, ``image_id``, ``item``,
    ``item_position``, ``rating`` (empty where not given), ``skipped`` (1 or 0) and
    ``seconds`` (that the image was looked at).

    Images are copied without their metadata. One that cannot be read is left out,
    with a warning that counts such images.
    """
    names = survey.check_items(items)
    low, high = survey.check_scale(scale)
    words = survey.check_anchors(anchors)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=4000)
    table = survey.allowed(packets, exclude)
    folder = survey.check_out(out, overwrite, table)
    table, pictures = survey.with_pictures(table, thumbnail, progress)

    files = [*(_page_name(str(packet_id)) for packet_id in table["packet_id"].unique())]
    files.append("packets.csv")
    survey.begin(folder, files)
    asked = survey.QUESTION if question is None else question
    index = []
    for packet_id, packet in table.groupby("packet_id", sort=False):
        file = _page_name(str(packet_id))
        ids = packet["image_id"].tolist()
        data = {
            # Answers to other images, items or scales are kept apart.
            "key": fingerprint([str(packet_id), ids, names, low, high]),
            "packet": str(packet_id),
            "group": packet["group"].iloc[0],
            "items": names,
            "scale": [low, high],
            "anchors": words,
            "images": ids,
            "pictures": [pictures[image_id] for image_id in ids],
        }
        write_page(
            folder / file,
            "ratings",
            data,
            title="Rating images",
            question=asked,
            warning=warning,
        )
        index.append((packet_id, data["group"], len(ids), file))
    pages = pd.DataFrame(index, columns=["packet_id", "group", "n_images", "file"])
    write_table(folder / "packets.csv", pages)
    survey.finish(folder, "pages", files, items=names, scale=[low, high], question=asked)
    return folder


def _page_name(packet_id: str) -> str:
    if not packet_id.replace("-", "").replace("_", "").isalnum():
        raise ImagestrataError(
            f"A page is named after its packet, and {quote(packet_id)} is no name for a file.",
            "Packet ids may have letters, digits, '_' and '-'.",
        )
    return f"{packet_id}.html"
