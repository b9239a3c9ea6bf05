"""Pairs of images to be judged: export, and reading of judgements."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural
from ..names import Exclude
from ..progress import Progress
from ..provenance import fingerprint, held_result, run_of
from ..sampling.pairs import check_pairs, read_drawn_pairs
from ..validate import check_bool, check_path
from ..verbs import public
from ..wording import arg, quote
from .answers import Asked, answered, check_known, once, read_tables, refuse
from .export import export
from .form import Form, Pictures
from .key import read_key

#: Question and answers, least related first; a judgement is the place in the list of answers.
_PLAIN = ("Do these two images belong to the same topic?", ("different", "same"))
_GRADED = (
    "How closely are these two images related?",
    ("unrelated", "loosely related", "closely related"),
)
_ASKED = Asked("pair_id", "pair")
_SIDES = {"left": "image_a", "right": "image_b"}


@public
def export_pairs(
    pairs: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    to: str = "page",
    graded: bool = False,
    question: str | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    thumbnail: int = 400,
    base_url: str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Export pairs of images to be judged.

    Parameters
    ----------
    pairs : DataFrame
        The result of :func:`sample_pairs`.
    out : path
        The file to write: ``.html`` for "page", ``.json`` for "labelstudio", ``.csv`` for "csv".
        For "server", a new folder.
    to : {"page", "server", "labelstudio", "csv"}, default "page"
        Tool in which annotators work. "page": one file that contains the images and opens in
        any browser, without a network. It shows one pair after the other, accepts answers
        from the keyboard, stores them in the browser until they are removed, saves them as
        CSV, and sends no data. "server": a folder for :func:`serve_forms`, which shows every
        annotator the same page with all pairs and keeps each answer as it is given;
        :func:`export_answers` writes the answers. "labelstudio": tasks to import, with the
        labelling configuration in a file ``...-config.xml`` beside them. "csv": a table with empty
        columns ``annotator`` and ``judgement``.
    graded : bool, default False
        Use the answers unrelated (0), loosely related (1) and closely related (2) instead
        of different (0) and same (1).
    question : str, optional
        Question to annotators.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file; their pairs are left
        out. A file has one entry per line, or is a CSV table with such a column. An entry
        that names none of the images raises an error, and no file is written.
    thumbnail : int, default 400
        Longer side of the copies, in pixels. By default a page of 554 pairs has
        20 to 40 MB.
    base_url : str, optional
        For "labelstudio" and "csv": address of the folder with all images on a server, such
        as ``https://.../images/``. By default tasks contain the images, and a table has
        their paths.
    overwrite : bool, default False
        Replace an existing file.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The file or folder. It contains neither strata nor probabilities; :func:`read_pairs` joins
        the answers to the pairs. The exported pairs are also written beside the file, as
        ``...-key.csv``: do not send it to annotators.

    Raises
    ------
    ImagestrataError
        If the file exists, no pair can be shown, or a pair has one image twice.

    Notes
    -----
    Pairs with an image that cannot be read are left out, and a warning counts them.
    """
    asked, answers = _GRADED if check_bool("graded", graded) else _PLAIN
    table = check_pairs(pairs, "path_a", "path_b")
    _check_same_run(table, check_path("out", out))

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        number = {image_id: i for i, image_id in enumerate(pictures.addresses)}
        left, right = (tasks[column].map(number) for column in _SIDES.values())
        return {
            # Answers to other pairs, or with other words, are stored separately.
            "key": fingerprint([tasks["pair_id"].tolist(), answers]),
            "answers": answers,
            "images": list(pictures.addresses),
            "pictures": list(pictures.addresses.values()),
            "pairs": [list(row) for row in zip(tasks["pair_id"], left, right, strict=True)],
        }

    sides = [
        table[[f"image_{side}", f"path_{side}"]].set_axis(["image_id", "path"], axis=1)
        for side in "ab"
    ]
    form = Form(
        kind="pairs",
        title="Image pairs",
        question=asked if question is None else question,
        warning=warning,
        tasks=table[[_ASKED.id, *_SIDES.values()]],
        unit=_ASKED.unit,
        id=_ASKED.id,
        images=pd.concat(sides).drop_duplicates("image_id", ignore_index=True),
        shown=_SIDES,
        fields={_ASKED.answer: answers},
        page=page,
        key=table,
    )
    return export(
        form,
        out,
        to,
        exclude=exclude,
        thumbnail=thumbnail,
        usual=400,
        base_url=base_url,
        overwrite=overwrite,
        progress=progress,
    )[0]


@public
def read_pairs(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    pairs: pd.DataFrame | str | os.PathLike[str],
    *,
    graded: bool = False,
    sep: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Join annotators' answers to the pairs that they judged.

    Parameters
    ----------
    files : path, sequence of paths, or DataFrame
        CSV files with the columns ``pair_id``, ``judgement`` and ``annotator``,
        such as the page of :func:`export_pairs` saves; exports of Label Studio (JSON or
        JSON-MIN); a folder of these; or such a table. If a file has no annotator, its name is
        the name of the annotator. Columns are separated by commas, semicolons or tabs.
    pairs : DataFrame or path
        The result of :func:`sample_pairs`, or the file ``...-key.csv`` beside the export.
    graded : bool, default False
        The value of ``graded`` in :func:`export_pairs`. A judgement is a number (0, 1;
        graded: 0, 1, 2) or the answer in words ("same"; graded: "loosely related").
    sep : str, optional
        Separator of the columns of CSV files; by default detected among commas, semicolons
        and tabs.
    encoding : str, optional
        Encoding of the files; by default that of the byte order mark, or UTF-8. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        The columns of the pairs, ``annotator`` and ``judgement`` (0, 1 or 2); one
        row per judgement, in the order of the pairs.

    Raises
    ------
    ImagestrataError
        If a file cannot be read or has no judgement, ids are unknown, judgements
        are not valid answers, or an annotator contradicts herself. The message has counts.

    Notes
    -----
    A repeated answer counts once. Pairs without a judgement are not in the result, and a
    warning counts them.
    """
    words = _GRADED[1] if check_bool("graded", graded) else _PLAIN[1]
    if not isinstance(pairs, pd.DataFrame):
        pairs = read_key(pairs, ["pair_id", "image_a", "image_b"], "pairs", "sample_pairs")
    table = check_pairs(pairs)
    wanted = (_ASKED.id, _ASKED.answer, _ASKED.person)
    answers = answered(read_tables(files, wanted, sep=sep, encoding=encoding), _ASKED)
    check_known(answers, table[_ASKED.id], _ASKED)
    answers = once(answers.assign(judgement=_numbers(answers, words)), _ASKED)
    order = pd.Series(range(len(table)), index=table[_ASKED.id])
    answers = answers.assign(order=answers[_ASKED.id].map(order)).sort_values(
        ["order", _ASKED.person]
    )
    judged = table.iloc[answers["order"].to_numpy()].reset_index(drop=True)
    return judged.assign(**{name: answers[name].to_numpy() for name in ("annotator", "judgement")})


def _numbers(answers: pd.DataFrame, words: Sequence[str]) -> pd.Series[int]:
    """Judgements as places in the list of answers; the page saves the answer in words as well."""
    place = {word: number for number, word in enumerate(words)}
    given = answers["judgement"]
    numbers = pd.to_numeric(given, errors="coerce").fillna(given.str.lower().map(place))
    off = ~numbers.isin(range(len(words)))
    if "answer" in answers:
        said = answers["answer"].fillna("")
        off |= (said != "") & (said.map(place) != numbers)
    wanted = ", ".join(f"{number} ({word})" for word, number in place.items())
    other = arg("graded", len(words) == 2)
    refuse(
        answers,
        off,
        f"are none of {wanted}",
        "judgement",
        "judgement",
        f"Use {other} if the pairs were exported with it; else correct those rows.",
    )
    return numbers.astype(int)


def _check_same_run(pairs: pd.DataFrame, file: Path) -> None:
    """Raise an error for a file of other pairs in a run folder with pairs."""
    run = run_of(file)
    if run is None or held_result(run, "pairs") is None:
        return
    other = ~pairs["pair_id"].isin(read_drawn_pairs(run)["pair_id"])
    if other.any():
        raise ImagestrataError(
            f"{other.sum()} of {plural(len(pairs), 'pair')} are not pairs of {quote(run)}, "
            f"{quote(pairs['pair_id'][other].iloc[0])} for one.",
            "Choose a file elsewhere, or give the pairs of that folder.",
        )
