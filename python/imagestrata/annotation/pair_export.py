"""Hand pairs of images to annotators: a page, a table, or tasks for Label Studio."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote as as_url
from xml.sax.saxutils import quoteattr

import pandas as pd

from ..corpus.pictures import embedded_pictures
from ..errors import ImagestrataError, plural, warn
from ..files import make_folder, remove_half_written, write_json, write_table, write_text
from ..names import Exclude, excluded
from ..page import write_page
from ..progress import Progress
from ..provenance import fingerprint, held_result, run_of
from ..sampling.pairs import check_pairs, read_drawn_pairs
from ..validate import check_bool, check_choice, check_idle, check_int, check_path
from ..verbs import public
from ..wording import arg, quote

#: What annotators can answer, least related first; a judgement is the place in the list.
SCALES = {
    "binary": ("different", "same"),
    "graded": ("unrelated", "loosely related", "closely related"),
}
QUESTIONS = {
    "binary": "Do these two images belong to the same topic?",
    "graded": "How closely are these two images related?",
}
FORMATS = {"html": ".html", "csv": ".csv", "labelstudio": ".json"}


@public
def export_pairs(
    pairs: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    format: str = "html",
    scale: str = "binary",
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 400,
    base_url: str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Write pairs of images for people to judge.

    Parameters
    ----------
    pairs : DataFrame
        What :func:`sample_pairs` returned.
    out : path
        The file to write: ``.html``, ``.csv`` or ``.json``, as the format wants.
    format : {"html", "csv", "labelstudio"}, default "html"
        "html": one file that holds the images and opens in any browser, without
        a network. It shows pair after pair, takes answers from the keyboard,
        keeps them in that browser until they are removed, hands out CSV, and sends
        nothing anywhere. "csv": a table with empty columns ``annotator`` and
        ``judgement``. "labelstudio": tasks to import, with the labelling
        configuration in a file ``...-config.xml`` beside them.
    scale : {"binary", "graded"}, default "binary"
        Answers: different (0) or same (1); or unrelated (0), loosely related
        (1) or closely related (2).
    question : str, optional
        What annotators are asked.
    warning : str, optional
        What they read before they see the first image, such as that some images
        show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that nobody is to see, by id, path or name of the file:
        their pairs are left out. A file has one on
        each line, or is a CSV table with such a column. An entry that is none of the images
        is an error, before anything is written.
    thumbnail : int, default 400
        Longer side of the embedded copies, in pixels. With it a page of 554
        pairs has 20 to 40 MB.
    base_url : str, optional
        For "csv" and "labelstudio": where the folder that holds all the images is
        found on a server, such as ``https://.../images/``. By default a table
        has paths, and tasks have the images embedded.
    overwrite : bool, default False
        Replace a file of that name.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The file. Annotators see neither stratum nor probability: join their
        answers to the pairs with :func:`read_pairs`.

    Raises
    ------
    ImagestrataError
        If the file exists, no pair is left, or a pair has one image twice.

    Notes
    -----
    A pair with an image that cannot be read is left out, with a warning that
    counts such pairs.
    """
    format = check_choice("format", format, FORMATS)
    scale = check_choice("scale", scale, SCALES)
    thumbnail = check_int("thumbnail", thumbnail, minimum=40, maximum=2000)
    question = QUESTIONS[scale] if question is None else question
    file = check_file(
        out, FORMATS[format], check_bool("overwrite", overwrite), f" for the format {format!r}"
    )
    if base_url is not None and format == "html":
        raise ImagestrataError(
            f"A page holds its images: {arg('base_url')} is for the formats csv and labelstudio.",
            f"Leave it out, or use {arg('format', 'labelstudio')}.",
        )
    table = check_pairs(pairs, "path_a", "path_b")
    _check_story(table, file)
    table = _without(table, exclude)
    if base_url is not None:
        addresses = _addresses(table, base_url)
    elif format == "csv":
        check_idle(
            f"with {arg('format', 'csv')}: the file holds no images", thumbnail=(thumbnail, 400)
        )
        addresses = {}
    else:
        table, addresses = _embedded(table, thumbnail, progress)

    if format == "html":
        _write_html(file, table, addresses, scale, question, warning)
    elif format == "csv":
        _write_csv(file, table, addresses)
    else:
        _write_labelstudio(file, table, addresses, scale, question, warning)
    return file


def check_file(out: Any, ending: str, overwrite: bool, what: str = "") -> Path:
    """The file for annotators, in a folder that exists."""
    file = check_path("out", out)
    if file.suffix.lower() != ending:
        raise ImagestrataError(
            f"{arg('out')} must be a file that ends in {quote(ending)}{what}, not {quote(file)}.",
            f"Use {arg('out', file.with_suffix(ending))}.",
        )
    remove_half_written(make_folder(file.parent), file.name)
    if file.exists() and not overwrite:
        raise ImagestrataError(
            f"{quote(file)} is there already, perhaps with somebody's answers.",
            f"Choose another name, or use {arg('overwrite', True)} to replace it.",
        )
    return file


def _check_story(pairs: pd.DataFrame, file: Path) -> None:
    """Refuse to put a page of other pairs into a run folder that holds some."""
    run = run_of(file)
    if run is None or held_result(run, "pairs") is None:
        return
    other = ~pairs["pair_id"].isin(read_drawn_pairs(run)["pair_id"])
    if other.any():
        raise ImagestrataError(
            f"{other.sum()} of {len(pairs)} pairs are not among those that {quote(run)} holds, "
            f"{quote(pairs['pair_id'][other].iloc[0])} for one.",
            "Choose a file elsewhere, or give the pairs of that folder.",
        )


def _without(pairs: pd.DataFrame, exclude: Exclude) -> pd.DataFrame:
    """The pairs of which no image is excluded."""
    sides = [
        pairs[[f"image_{side}", f"path_{side}"]].set_axis(["image_id", "path"], axis=1)
        for side in "ab"
    ]
    images = pd.concat(sides).drop_duplicates(ignore_index=True)
    hidden = excluded(images, exclude, "the pairs")
    kept = pairs[~(pairs["image_a"].isin(hidden) | pairs["image_b"].isin(hidden))]
    if kept.empty:
        raise ImagestrataError(f"All pairs ({len(pairs):,}) have an excluded image.")
    return kept


def _images(pairs: pd.DataFrame) -> pd.DataFrame:
    """Every image of the pairs once: image_id, path."""
    sides = [
        pairs[[f"image_{side}", f"path_{side}"]].set_axis(["image_id", "path"], axis=1)
        for side in "ab"
    ]
    return pd.concat(sides).drop_duplicates("image_id", ignore_index=True)


def _addresses(pairs: pd.DataFrame, base_url: str) -> dict[str, str]:
    images = _images(pairs)
    unknown = int(images["path"].isna().sum())
    if unknown:
        raise ImagestrataError(f"{unknown} of {plural(len(images), 'image')} have no path.")
    absolute = [os.path.abspath(path) for path in images["path"]]  # noqa: PTH100 - keeps links
    root = os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120
    below = [os.path.relpath(path, root).replace(os.sep, "/") for path in absolute]
    urls = [base_url.rstrip("/") + "/" + as_url(path) for path in below]
    return dict(zip(images["image_id"], urls, strict=True))


def _embedded(
    pairs: pd.DataFrame, side: int, progress: Progress
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The pairs whose images can be shown, and their pictures."""
    addresses, complaint = embedded_pictures(_images(pairs), side, progress)
    shown = pairs[pairs["image_a"].isin(addresses) & pairs["image_b"].isin(addresses)]
    if complaint:
        message = (
            f"{len(pairs) - len(shown)} of {plural(len(pairs), 'pair')} are left out: {complaint}"
        )
        if shown.empty:
            raise ImagestrataError(message, "Check where the images lie.")
        warn(message)
    return shown, addresses


def _write_html(
    file: Path,
    pairs: pd.DataFrame,
    addresses: dict[str, str],
    scale: str,
    question: str,
    warning: str | None,
) -> None:
    number = {image_id: i for i, image_id in enumerate(addresses)}
    data = {
        # Answers to other pairs, or on another scale, are kept apart.
        "key": fingerprint([pairs["pair_id"].tolist(), scale]),
        "answers": SCALES[scale],
        "images": list(addresses),
        "pictures": list(addresses.values()),
        "pairs": [
            [pair, number[a], number[b]]
            for pair, a, b in zip(pairs["pair_id"], pairs["image_a"], pairs["image_b"], strict=True)
        ],
    }
    write_page(file, "pairs", data, title="Image pairs", question=question, warning=warning)


def _write_csv(file: Path, pairs: pd.DataFrame, addresses: dict[str, str]) -> None:
    table = pairs[["pair_id", "image_a", "image_b"]].copy()
    for side in "ab":
        if addresses:
            table[f"url_{side}"] = pairs[f"image_{side}"].map(addresses)
        else:
            table[f"path_{side}"] = pairs[f"path_{side}"]
    write_table(file, table.assign(annotator="", judgement=""))


def _write_labelstudio(
    file: Path,
    pairs: pd.DataFrame,
    addresses: dict[str, str],
    scale: str,
    question: str,
    warning: str | None,
) -> None:
    tasks = [
        {
            "data": {
                "pair_id": pair,
                "image_a": a,
                "image_b": b,
                "left": addresses[a],
                "right": addresses[b],
            }
        }
        for pair, a, b in zip(pairs["pair_id"], pairs["image_a"], pairs["image_b"], strict=True)
    ]
    write_text(file.with_name(f"{file.stem}-config.xml"), _configuration(scale, question, warning))
    write_json(file, tasks)


def _configuration(scale: str, question: str, warning: str | None) -> str:
    """The labelling interface, in Label Studio's tags."""
    choices = [
        f'    <Choice value="{answer}" hotkey="{number}"/>'
        for number, answer in enumerate(SCALES[scale])
    ]
    lines = [
        "<View>",
        *([f'  <Text name="warning" value={quoteattr(warning)}/>'] if warning else []),
        f"  <Header value={quoteattr(question)}/>",
        '  <View style="display: grid; grid-template-columns: 1fr 1fr; gap: 16px">',
        '    <Image name="left" value="$left"/>',
        '    <Image name="right" value="$right"/>',
        "  </View>",
        '  <Choices name="judgement" toName="left" choice="single" required="true" '
        'showInline="true">',
        *choices,
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"
