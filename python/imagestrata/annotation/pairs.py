"""Pairs of images that people judge: handed out, and read back."""

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

#: What annotators are asked, and what they can answer, least related first; a judgement is the
#: place in the list.
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
    """Write pairs of images for people to judge.

    Parameters
    ----------
    pairs : DataFrame
        What :func:`sample_pairs` returned.
    out : path
        The file to write: ``.html`` for "page", ``.json`` for "labelstudio", else ``.csv``.
    to : {"page", "labelstudio", "csv"}, default "page"
        Where annotators work. "page": one file that holds the images and opens in any
        browser, without a network. It shows pair after pair, takes answers from the
        keyboard, keeps them in that browser until they are removed, hands out CSV, and sends
        nothing anywhere. "labelstudio": tasks to import, with the labelling
        configuration in a file ``...-config.xml`` beside them. "csv": a table with empty
        columns ``annotator`` and ``judgement``.
    graded : bool, default False
        Answers are unrelated (0), loosely related (1) or closely related (2), instead of
        different (0) or same (1).
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
        For "labelstudio" and "csv": where the folder that holds all the images is
        found on a server, such as ``https://.../images/``. By default tasks have the images
        embedded, and a table has paths.
    overwrite : bool, default False
        Replace a file of that name.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    Path
        The file. Annotators see neither stratum nor probability: their answers are joined to
        the pairs by :func:`read_pairs`. The pairs that were handed out also lie beside the
        file, as ``...-key.csv``: send the file alone.

    Raises
    ------
    ImagestrataError
        If the file exists, no pair is left, or a pair has one image twice.

    Notes
    -----
    A pair with an image that cannot be read is left out, with a warning that
    counts such pairs.
    """
    asked, answers = _GRADED if check_bool("graded", graded) else _PLAIN
    table = check_pairs(pairs, "path_a", "path_b")
    _check_same_run(table, check_path("out", out))

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        number = {image_id: i for i, image_id in enumerate(pictures.addresses)}
        left, right = (tasks[column].map(number) for column in _SIDES.values())
        return {
            # Answers to other pairs, or with other words, are kept apart.
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
        such as the page of :func:`export_pairs` downloads; JSON as Label
        Studio exports it (JSON or JSON-MIN); a folder of these; or such a table. Where a file
        names no annotator, its own name stands for one. Columns may be separated by commas,
        semicolons or tabs.
    pairs : DataFrame or path
        What :func:`sample_pairs` returned; or the file ``...-key.csv`` beside the export.
    graded : bool, default False
        Whether the pairs were exported so. A judgement is a number (0, 1; graded: 0, 1, 2) or
        the answer in words ("same"; graded: "loosely related").
    sep : str, optional
        What separates the columns of CSV files; by default commas, semicolons or tabs,
        whichever fits.
    encoding : str, optional
        Encoding of the files; by default UTF-8, or what a byte order mark says. Other text
        is read as Windows-1252, with a warning.

    Returns
    -------
    DataFrame
        The columns of the pairs, ``annotator`` and ``judgement`` (0, 1 or 2); one
        row per judgement, in the order of the pairs, whatever that of the files.

    Raises
    ------
    ImagestrataError
        If a file cannot be read or has no judgement, ids are unknown, judgements
        are none of the answers, or an annotator contradicts herself. Always with counts.

    Notes
    -----
    The same answer given twice counts once. Pairs that nobody judged are absent
    from the result, and a warning counts them.
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
    """Judgements as places in the list of answers; the page says the answer in words as well."""
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
    """Refuse to put a page of other pairs into a run folder that holds some."""
    run = run_of(file)
    if run is None or held_result(run, "pairs") is None:
        return
    other = ~pairs["pair_id"].isin(read_drawn_pairs(run)["pair_id"])
    if other.any():
        raise ImagestrataError(
            f"{other.sum()} of {plural(len(pairs), 'pair')} are not among those that {quote(run)} "
            f"holds, {quote(pairs['pair_id'][other].iloc[0])} for one.",
            "Choose a file elsewhere, or give the pairs of that folder.",
        )
