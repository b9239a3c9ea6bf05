"""Export of packets of images to be rated."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError
from ..names import Exclude
from ..progress import Progress
from ..provenance import check_base, fingerprint, run_of
from ..sampling.assign import check_packets
from ..sampling.sample import from_sample
from ..validate import check_int, check_path, check_scale
from ..verbs import public
from ..wording import arg, quote
from .export import export
from .form import Form, Pictures

#: The paper's ten emotions and the dimension that each belongs to.
EMOTIONS = {
    "hopeful": "enthusiasm",
    "enthusiastic": "enthusiasm",
    "proud": "enthusiasm",
    "angry": "aversion",
    "resentful": "aversion",
    "bitter": "aversion",
    "hateful": "aversion",
    "worried": "anxiety",
    "scared": "anxiety",
    "afraid": "anxiety",
}
QUESTION = "How much does this image make you feel each of the following?"


@public
def export_packets(
    packets: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    to: str = "page",
    items: Sequence[str] | pd.DataFrame | None = None,
    scale: tuple[int, int] = (0, 10),
    anchors: tuple[str, str] = ("not at all", "extremely"),
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 800,
    base_url: str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Export packets of images to be rated.

    Parameters
    ----------
    packets : DataFrame
        The result of :func:`assign_annotators` or :func:`reassign`, with ``path``.
    out : path
        A new folder.
    to : {"page", "server", "qualtrics", "labelstudio", "csv"}, default "page"
        Tool in which annotators work; see Notes.
    items : sequence of str or DataFrame, optional
        Items on which images are rated, or a table with the column ``item``. By default
        the paper's ten emotions.
    scale : (int, int), default (0, 10)
        Lowest and highest rating, whole numbers from 0 to 10. The paper has "1-10"
        in its text and an 11-point scale in its Figure 10, which is the default of
        all functions with a scale.
    anchors : (str, str), default ("not at all", "extremely")
        Labels of the ends of the scale. The paper does not report its labels.
    question : str, optional
        Question to respondents.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file. A file has one entry
        per line, or is a CSV table with such a column. An entry that names none of the
        images raises an error, and no file is written.
    thumbnail : int, default 800
        Longer side of the copies, in pixels. By default a page of eight photographs has
        about 1 MB.
    base_url : str, optional
        Address at which you will upload the folder ``images`` of the export, such as
        ``"https://www.example.org/study/images"``. "qualtrics" needs it. By default
        "labelstudio" embeds the images, and "csv" refers to the folder. No file is uploaded.
    overwrite : bool, default False
        Replace an earlier export in the folder; its files are removed.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder. The exported packets are also written beside it, as ``...-key.csv``.

    Raises
    ------
    ImagestrataError
        If the folder contains other files, ids are not valid file names, or no image can
        be shown.

    Notes
    -----
    Images are copied without their metadata. Images that cannot be read are left out,
    and a warning counts them. :func:`read_ratings` reads the answers of all tools.

    **page.** A page ``p001.html``, ... for each packet, and ``packets.csv``, which lists
    the page of each packet and its group. A page is small enough for a phone and contains
    only the images of its packet. It opens from disk or from any web server and makes no
    network requests. It shows one image after the other with the items in random order,
    which is constant for a respondent, so that effects of the order average out over
    respondents. Ratings are given by mouse, touch or keyboard, and an image can be skipped.
    Answers are stored in the browser until they are removed there. The page does not list
    earlier respondents, but whoever types a name or code sees the answers under it. Stored
    answers belong to this export, its question and its scale. They are saved as CSV, with
    ``respondent_id``, ``group``, ``packet_id``, ``position``, ``image_id``, ``item``,
    ``item_position``, ``rating`` (empty if missing), ``skipped`` (1 or 0) and
    ``seconds`` (for which the image was shown).

    **server.** A folder for :func:`serve_forms`, which hands each visitor the next free packet of
    her group and keeps every answer as it is given. Respondents see the same pages. They receive
    neither ids nor names of images, packets and clusters: these are in ``forms.json``, which only
    you may read, with the tokens of the links in ``secrets.json``. :func:`export_answers` writes
    the answers as pages save them.

    **qualtrics.** One survey for all packets, ``survey.txt`` in Qualtrics' Advanced Format,
    with one block of questions that is looped over the images of a packet:
    ``loop-and-merge.csv`` has the two fields of that block, the image's id and its address.
    ``packets.csv`` has one row per packet, its ``packet_id``, ``group``, ``image_1``,
    ``image_2``, ... as embedded data for contacts, and as ``parameters`` to append to the
    survey's link. Upload ``images`` to ``base_url``. Advanced Format has no loops, random
    order or display logic: ``how-to.txt`` explains how to set them by hand. Qualtrics then
    exports columns such as ``3_rating_2`` (place 3, item 2) and ``image_3``, which
    ``read_ratings()`` in R reads directly.

    **labelstudio.** ``tasks.json`` to import, ``config.xml``, the labelling configuration, and
    with ``base_url`` a folder ``images`` to upload there. A task is one image of one packet,
    with ``packet_id``, ``group``, ``position``, ``image_id`` and ``image`` (about 100 kB if
    images are embedded). Filter by ``packet_id`` to assign a packet. Items are always
    in the same order, since Label Studio does not randomise; the page and Qualtrics can.

    **csv.** A table ``p001.csv``, ... for each packet, with a row per image, the name of its
    file in ``images``, and empty columns for ``respondent_id`` and each item; and
    ``packets.csv``, as for pages.
    """
    names = check_items(items)
    low, high = (check_int("scale", end, minimum=0, maximum=10) for end in check_scale(scale))
    words = _check_anchors(anchors)
    table = check_packets(packets, "path")
    run = run_of(check_path("out", out))
    if run is not None:
        shown = table[["image_id", "cluster"]].drop_duplicates()
        check_base(run, "sample", from_sample(run, shown), "packets")
    asked = QUESTION if question is None else question

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        ids = tasks["image_id"].tolist()
        packet_id = str(tasks["packet_id"].iloc[0])
        return {
            # Answers to other images, items or scales are stored separately.
            "key": fingerprint([packet_id, ids, names, low, high]),
            "packet": packet_id,
            "group": tasks["group"].iloc[0],
            "items": names,
            "scale": [low, high],
            "anchors": words,
            "images": ids,
            "pictures": [pictures.addresses[image_id] for image_id in ids],
        }

    form = Form(
        kind="ratings",
        title="Rating images",
        question=asked,
        warning=warning,
        tasks=table[["packet_id", "group", "position", "image_id"]],
        unit="image",
        id="image_id",
        images=table[["image_id", "path"]].drop_duplicates("image_id", ignore_index=True),
        shown={"image": "image_id"},
        fields=dict.fromkeys(names, range(low, high + 1)),
        page=page,
        person="respondent_id",
        note=f"{low} = {words[0]}, {high} = {words[1]}",
        sheets="packet_id",
        key=table,
        about={"items": names, "scale": [low, high], "question": asked},
    )
    return export(
        form,
        out,
        to,
        exclude=exclude,
        thumbnail=thumbnail,
        usual=800,
        base_url=base_url,
        overwrite=overwrite,
        progress=progress,
    )[0]


def check_items(items: Any) -> list[str]:
    """Names of the items: the ten emotions, given names, or the column ``item`` of a table."""
    if items is None:
        return list(EMOTIONS)
    if isinstance(items, pd.DataFrame):
        if "item" not in items:
            raise ImagestrataError(
                f"The table of items lacks the column 'item'; it has {', '.join(map(str, items))}."
            )
        items = items["item"].tolist()
    names = [] if isinstance(items, str) else list(items)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ImagestrataError(f"{arg('items')} must be a list of names, not {quote(items)}.")
    if len(set(names)) < len(names):
        raise ImagestrataError(f"{arg('items')} names an item twice: {', '.join(names)}.")
    marks = [name for name in names if re.search(r"[\n\r]|\[\[|\]\]", name)]
    if marks:
        raise ImagestrataError(
            f"{arg('items')} must be single lines without double brackets, unlike "
            f"{quote(marks[0])}."
        )
    return names


def _check_anchors(anchors: Any) -> tuple[str, str]:
    """The checked labels of the ends of the scale."""
    words = list(anchors) if isinstance(anchors, Sequence) and not isinstance(anchors, str) else []
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        raise ImagestrataError(
            f"{arg('anchors')} must be two texts, for the lowest and the highest rating, not "
            f"{quote(anchors)}."
        )
    return words[0], words[1]
