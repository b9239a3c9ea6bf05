"""Pairs of images to be judged: export, and reading of judgements."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..names import Exclude
from ..progress import Progress
from ..provenance import fingerprint, held_result, run_of
from ..sampling.pairs import check_pairs, read_drawn_pairs
from ..validate import check_bool, check_path
from ..verbs import public
from ..wording import arg, quote
from .answers import Asked, answered, check_known, once, read_tables, refuse
from .disputes import disputed_pairs
from .export import export
from .exporters import check_tool
from .form import Form, Pictures
from .key import read_key
from .questions import (
    BETWEEN,
    OF_ANSWERS,
    PLAIN,
    QUESTION,
    check_questions,
    described,
    is_plain,
    named_questions,
    questions_in,
)

#: Question and answers, least related first; a judgement is the place in the list of answers.
_PLAIN = ("Do these two images belong to the same topic?", ("different", "same"))
_GRADED = (
    "How closely are these two images related?",
    ("unrelated", "loosely related", "closely related"),
)
_ASKED = Asked("pair_id", "pair")
_SIDES = {"left": "image_a", "right": "image_b"}


def usual_words(graded: Any) -> tuple[str, tuple[str, ...]]:
    """The question if no other is given, and the answers, least related first."""
    return _GRADED if check_bool("graded", graded) else _PLAIN


@public
def export_pairs(
    pairs: pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    to: str = "page",
    graded: bool = False,
    questions: str | Mapping[str, str] | None = None,
    warning: str | None = None,
    exclude: Exclude = None,
    disputed: pd.DataFrame | None = None,
    thumbnail: int = 400,
    base_url: str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
) -> Path:
    """Export pairs of images to be judged.

    Parameters
    ----------
    pairs : DataFrame
        The result of :func:`sample_pairs`. Or judged pairs, to be judged again, such as the
        disputed ones of :func:`consensus`; earlier answers are not shown, and only the questions
        in the table are asked about a pair.
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
        columns ``annotator`` and ``judgement``, or one column for each question.
    graded : bool, default False
        Use the answers unrelated (0), loosely related (1) and closely related (2) instead
        of different (0) and same (1), for all questions.
    questions : str or mapping of str to str, optional
        Question to annotators. Or several questions about each pair: a mapping from names, which
        become the column ``question`` of the answers, to texts. All stand below the pair, and the
        next pair follows when all are answered.
    warning : str, optional
        Text shown before the first image, for example that some images show violence.
    exclude : sequence of str, path of a file, or DataFrame, optional
        Images that must not be shown, by id, path or name of the file; their pairs are left
        out. A file has one entry per line, or is a CSV table with such a column. An entry
        that names none of the images raises an error, and no file is written.
    disputed : DataFrame, optional
        Judgements of several annotators, as :func:`read_pairs` returns them. Only pairs on which
        they disagree are exported, the most disputed first, each with everybody's answer, for a
        meeting. Only disputed questions are asked about a pair.
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
        the answers to the pairs. The exported pairs, with the questions, are also written beside
        the file, as ``...-key.csv``: do not send it to annotators.

    Raises
    ------
    ImagestrataError
        If the file exists, no pair can be shown, a pair has one image twice, a question has no
        valid name, or there is no dispute.

    Notes
    -----
    Pairs with an image that cannot be read are left out, and a warning counts them.

    Where some pairs have only some of the questions, a table or task says in the column
    ``questions`` which these are.

    Examples
    --------
    Two questions, and a meeting about the pairs on which annotators disagree::

        questions = {
            "denotative": "Do both images show the same things?",
            "connotative": "Do both images express the same idea?",
        }
        export_pairs(pairs, "pairs.html", questions=questions)
        judged = read_pairs(["anna.csv", "ben.csv"], "pairs.html")
        export_pairs(pairs, "meeting.html", questions=questions, disputed=judged)
        meeting = read_pairs("meeting.csv", "meeting.html")
        decided = consensus(judged, meeting=meeting)
    """
    check_tool(to, "pairs", disputed=disputed)
    usual, answers = _GRADED if check_bool("graded", graded) else _PLAIN
    repeated = isinstance(pairs, pd.DataFrame) and bool({PLAIN, QUESTION} & {*pairs.columns})
    rows = check_pairs(pairs, "path_a", "path_b", repeated=repeated)
    columns = [str(name) for name in rows if name not in OF_ANSWERS]
    asked = check_questions(questions, usual, columns)
    said: dict[tuple[str, str], str] = {}
    if disputed is not None:
        rows, said = _with_answers(rows, disputed, answers)
    table = rows.drop_duplicates(_ASKED.id, ignore_index=True)[columns]
    some = _asked_about(rows, table, asked)
    if QUESTION in rows:
        asked = {name: text for name, text in asked.items() if (rows[QUESTION] == name).any()}
    tasks = table[[_ASKED.id, *_SIDES.values()]]
    if some is not None:
        tasks = tasks.assign(questions=some.to_numpy())
    _check_same_run(table, check_path("out", out))

    def page(tasks: pd.DataFrame, pictures: Pictures) -> dict[str, Any]:
        number = {image_id: i for i, image_id in enumerate(pictures.addresses)}
        left, right = (tasks[column].map(number) for column in _SIDES.values())
        ids = tasks["pair_id"].tolist()
        data: dict[str, Any] = {
            # Answers to other pairs, or with other words, are stored separately.
            "key": fingerprint([ids, answers]),
            "answers": answers,
            "images": list(pictures.addresses),
            "pictures": list(pictures.addresses.values()),
            "pairs": [list(row) for row in zip(ids, left, right, strict=True)],
        }
        if not is_plain(asked):
            data["questions"] = [{"name": name, "text": text} for name, text in asked.items()]
            some = tasks["questions"].tolist() if "questions" in tasks else None
            data["key"] = fingerprint([data["key"], data["questions"], some])
            if some is not None:
                names = [*asked]
                data["asked"] = [[names.index(name) for name in one.split(BETWEEN)] for one in some]
        if said:
            data["said"] = [[said.get((one, name), "") for name in asked] for one in ids]
        return data

    sides = [
        table[[f"image_{side}", f"path_{side}"]].set_axis(["image_id", "path"], axis=1)
        for side in "ab"
    ]
    form = Form(
        kind="pairs",
        title="Image pairs",
        question=f"{len(asked)} questions about each pair of images"
        if len(asked) > 1
        else next(iter(asked.values())),
        warning=warning,
        tasks=tasks,
        unit=_ASKED.unit,
        id=_ASKED.id,
        images=pd.concat(sides).drop_duplicates("image_id", ignore_index=True),
        shown=_SIDES,
        fields=dict.fromkeys(asked, answers),
        texts={} if is_plain(asked) else asked,
        page=page,
        key=table.assign(**described(asked, some, len(table))),
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


def _asked_about(
    rows: pd.DataFrame, table: pd.DataFrame, asked: Mapping[str, str]
) -> pd.Series[Any] | None:
    """The names of the questions about each pair, in one text; None if all are asked about all."""
    there = named_questions(rows)
    unknown = [name for name in there if name not in asked]
    if unknown:
        example = {name: asked.get(name, "...") for name in there}
        raise ImagestrataError(
            f"The pairs were judged by the question {quote(unknown[0])}, which is not among "
            f"{arg('questions')}.",
            f"Give the texts of the questions: {arg('questions', example)}.",
        )
    if not there:
        return None
    about = rows.groupby(_ASKED.id)[QUESTION].agg(set)
    names = [BETWEEN.join(name for name in asked if name in about[one]) for one in table[_ASKED.id]]
    whole = BETWEEN.join(asked)
    return None if all(one == whole for one in names) else pd.Series(names, table.index)


def _with_answers(
    pairs: pd.DataFrame, disputed: Any, words: Sequence[str]
) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """The disputed pairs, the most disputed first, and everybody's answer by pair and question."""
    found = disputed_pairs(disputed, "disputed")
    if found.empty:
        raise ImagestrataError(
            f"The annotators in {arg('disputed')} agree on all pairs.",
            "There is nothing to decide.",
        )
    other = ~found[_ASKED.id].isin(pairs[_ASKED.id])
    if other.any():
        n, all_pairs = found.loc[other, _ASKED.id].nunique(), found[_ASKED.id].nunique()
        raise ImagestrataError(
            f"{n} of {plural(all_pairs, 'disputed pair')} are not among {arg('pairs')}, "
            f"{quote(found.loc[other, _ASKED.id].iloc[0])} for one.",
            "Give the pairs that were judged.",
        )
    off = ~found["judgement"].isin(range(len(words)))
    if off.any():
        first = f"{found.loc[off, 'judgement'].iloc[0]:g}"
        raise ImagestrataError(
            f"{arg('disputed')} has the judgement {first}, which is none of the answers "
            f"{', '.join(words)}.",
            f"Use {arg('graded', True)} if the annotators' pairs were exported with it."
            if len(words) == 2
            else "Give the table that was read.",
        )
    named = [QUESTION] if QUESTION in found else []
    said: dict[tuple[str, str], list[str]] = {}
    for row in found.to_dict("records"):
        name = row[QUESTION] if named else PLAIN
        answer = f"{row['annotator']}: {words[int(row['judgement'])]}"
        said.setdefault((row[_ASKED.id], name), []).append(answer)
    about = found.drop_duplicates([_ASKED.id, *named])[[_ASKED.id, *named]]
    whole = pairs.drop_duplicates(_ASKED.id)
    whole = whole.drop(columns=[name for name in OF_ANSWERS if name in whole])
    rows = about.merge(whole, on=_ASKED.id, how="left")
    return rows, {at: "; ".join(texts) for at, texts in said.items()}


@public
def read_pairs(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pd.DataFrame,
    pairs: pd.DataFrame | str | os.PathLike[str],
    *,
    graded: bool = False,
    questions: str | Mapping[str, str] | None = None,
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
        the name of the annotator. Columns are separated by commas, semicolons or tabs. With
        several questions, a further column ``question``, or one column for each question.
    pairs : DataFrame or path
        The result of :func:`sample_pairs`, or the export or its file ``...-key.csv``.
    graded : bool, default False
        The value of ``graded`` in :func:`export_pairs`. A judgement is a number (0, 1;
        graded: 0, 1, 2) or the answer in words ("same"; graded: "loosely related").
    questions : str or mapping of str to str, optional
        The value of ``questions`` in :func:`export_pairs`. By default that of the export, if
        ``pairs`` is the export or its key, or the names in the column ``question`` of the files.
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
        row per judgement, in the order of the pairs. With several questions, the name of each in
        the column ``question``, and a row per judgement of each.

    Raises
    ------
    ImagestrataError
        If a file cannot be read or has no judgement, ids or questions are unknown, judgements
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
    held = questions_in(table)
    about = table.set_index(_ASKED.id)[[*held]]
    table = table.drop(columns=[*held])
    names = [*(held if questions is None else check_questions(questions, "", table.columns))]
    names = [] if names == [PLAIN] else names
    wanted = (_ASKED.id, _ASKED.answer, _ASKED.person, QUESTION, *names)
    tables = [_long(one, names) for one in read_tables(files, wanted, sep=sep, encoding=encoding)]
    asked = _ASKED
    if names or any(QUESTION in one for one in tables):
        asked = _ASKED._replace(also=(QUESTION,))
    answers = answered(tables, asked)
    check_known(answers, table[_ASKED.id], asked)
    if asked.also:
        names = names or [*dict.fromkeys(answers[QUESTION])]
        _check_names(answers, names, about)
    answers = once(answers.assign(judgement=_numbers(answers, words)), asked)
    order = pd.Series(range(len(table)), index=table[_ASKED.id])
    answers = answers.assign(order=answers[_ASKED.id].map(order))
    by = ["order", _ASKED.person]
    if asked.also:
        place = {name: number for number, name in enumerate(names)}
        answers = answers.assign(place=answers[QUESTION].map(place))
        by.append("place")
    answers = answers.sort_values(by)
    judged = table.iloc[answers["order"].to_numpy()].reset_index(drop=True)
    added = (_ASKED.person, *asked.also, _ASKED.answer)
    return judged.assign(**{name: answers[name].to_numpy() for name in added})


def _long(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row per judgement, from a table with a column for each question."""
    there = [name for name in names if name in table]
    if QUESTION in table or not there:
        return table
    kept = [name for name in table if name not in (*names, PLAIN, "answer")]
    return table.melt(kept, there, QUESTION, PLAIN).fillna({PLAIN: ""})


def _check_names(answers: pd.DataFrame, names: Sequence[str], about: pd.DataFrame) -> None:
    """Refuse answers to other questions, and warn of pairs with answers to some of theirs.

    Parameters
    ----------
    answers : DataFrame
    names : sequence of str
    about : DataFrame
        By pair, whether the columns of questions are filled; without columns if it is not known.
    """
    refuse(
        answers,
        ~answers[QUESTION].isin(names),
        f"are of other questions than {', '.join(names)}",
        QUESTION,
        "judgement",
        f"Give the export that was answered as {arg('pairs')}, or its {arg('questions')}.",
    )
    judged = pd.unique(answers[_ASKED.id])
    for name in names:
        needed = {*judged}
        if not about.columns.empty:
            needed &= {*about.index[about[name].notna()]} if name in about else set()
        missing = needed - {*answers.loc[answers[QUESTION] == name, _ASKED.id]}
        if missing:
            warn(
                f"{len(missing)} of {plural(len(needed), 'judged pair')} have no judgement of the "
                f"question {quote(name)}."
            )


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
    if "round" in pairs:  # next_pairs() drew further pairs of the run
        other &= ~(pd.to_numeric(pairs["round"], errors="coerce") > 1)
    if other.any():
        raise ImagestrataError(
            f"{other.sum()} of {plural(len(pairs), 'pair')} are not pairs of {quote(run)}, "
            f"{quote(pairs['pair_id'][other].iloc[0])} for one.",
            "Choose a file elsewhere, or give the pairs of that folder.",
        )
