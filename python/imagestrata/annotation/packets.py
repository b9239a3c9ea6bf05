"""Packets of images that people rate, handed out."""

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
    """Write packets of images for people to rate.

    Parameters
    ----------
    packets : DataFrame
        What :func:`assign_annotators` or :func:`reassign` returned, with ``path``.
    out : path
        A new folder.
    to : {"page", "qualtrics", "labelstudio", "csv"}, default "page"
        Where annotators work; see Notes.
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
        Longer side of the copies, in pixels. With it a page of eight photographs has
        roughly 1 MB.
    base_url : str, optional
        Where the folder ``images`` that is written here will be found on a server,
        such as ``"https://www.example.org/study/images"``. "qualtrics" needs it;
        "labelstudio" embeds the images by default, and "csv" names them in the folder.
        Nothing is uploaded.
    overwrite : bool, default False
        Replace an earlier export there; files of it that are no longer needed go.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The folder. The packets that were handed out also lie beside it, as ``...-key.csv``.

    Raises
    ------
    ImagestrataError
        If the folder holds other files, ids are no names for files, or no image is
        left to show.

    Notes
    -----
    Images are copied without their metadata. One that cannot be read is left out,
    with a warning that counts such images. Whatever the tool, answers are read by
    :func:`read_ratings`.

    **page.** A page ``p001.html``, ... for each packet, and ``packets.csv``, which says what
    page is for which group. A page is small enough for a phone, shows nobody an image that
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

    **qualtrics.** One survey for all packets, ``survey.txt`` in Qualtrics' Advanced Format,
    with one block of questions that is looped over the images of a packet:
    ``loop-and-merge.csv`` has the two fields of that block, the image's id and its address.
    ``packets.csv`` has one row per packet, its ``packet_id``, ``group``, ``image_1``,
    ``image_2``, ... as embedded data for contacts, and as ``parameters`` to be put behind the
    survey's link. Upload ``images`` to ``base_url``. Advanced Format knows neither loops nor
    random order nor display logic: ``how-to.txt`` says how to set them by hand. Qualtrics then
    exports columns such as ``3_rating_2`` (place 3, item 2) and ``image_3``, which
    ``read_ratings()`` in R reads as they are.

    **labelstudio.** ``tasks.json`` to import, ``config.xml``, the labelling configuration, and
    with ``base_url`` a folder ``images`` to upload there. A task is one image of one packet,
    with ``packet_id``, ``group``, ``position``, ``image_id`` and ``image`` (some 100 kB where
    images are embedded): filter by ``packet_id`` to give somebody a packet. Items are always
    in the same order, since Label Studio shuffles none; the page and Qualtrics can.

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
            # Answers to other images, items or scales are kept apart.
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
    """What the ends of the scale mean."""
    words = list(anchors) if isinstance(anchors, Sequence) and not isinstance(anchors, str) else []
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        raise ImagestrataError(
            f"{arg('anchors')} must be two texts, for the lowest and the highest rating, not "
            f"{quote(anchors)}."
        )
    return words[0], words[1]
