"""A vision language model judges pairs of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..annotation.pairs import usual_words
from ..annotation.questions import PLAIN, QUESTION, check_questions
from ..corpus.located import located
from ..errors import ImagestrataError
from ..files import damaged
from ..progress import Progress
from ..provenance import Step, fingerprint, held_result, step_folder
from ..sampling.pairs import check_pairs, pair_id, read_drawn_pairs
from ..tables import read_typed
from ..text.answers import Answers
from ..text.chat import Provider, check_budget, check_limits, check_provider, model_costs
from ..text.coder import FIELDS, ask_questions, label_of, unfinished, warn_invalid
from ..text.machines import PREFIX
from ..text.questions import Question, prompt_of
from ..text.questions import check_questions as with_answers
from ..validate import check_bool, check_path
from ..verbs import public
from ..wording import arg

#: What a row says about its judgement; columns of these names in the pairs are replaced.
_ANSWER = (QUESTION, "annotator", PLAIN, "reason")


@public
def judge_pairs(
    pairs: pd.DataFrame,
    provider: Provider,
    out: str | os.PathLike[str],
    *,
    graded: bool = False,
    questions: str | Mapping[str, str] | None = None,
    max_tokens: int | None = 300,
    temperature: float | None = None,
    side: int = 512,
    budget: float | None = None,
    consent: bool = False,
    overwrite: bool = False,
    progress: Progress = True,
) -> pd.DataFrame:
    """Have a vision language model judge pairs of images.

    A model is no annotator: what it says is a proxy, which the judgements of people correct. Have
    the model judge all pairs and people some of them, and give both to :func:`score_clustering`.
    Each answer is stored in ``out`` as soon as it arrives. An interrupted call continues, and you
    never pay for an answer twice.

    Parameters
    ----------
    pairs : DataFrame
        The result of :func:`sample_pairs`.
    provider : ModelServer or LocalModel
        The model and the place where it runs. It must take two pictures in one request.
    out : path
        Run folder. Answers are written to ``judgements/answers.jsonl`` there, and the table to
        ``judgements.csv``.
    graded : bool, default False
        Use the answers unrelated (0), loosely related (1) and closely related (2) instead of
        different (0) and same (1), for all questions.
    questions : str or mapping of str to str, optional
        The question to the model, or several questions about each pair: a mapping from names to
        texts. Ask the model what you ask people in :func:`export_pairs`.
    max_tokens : int or None, default 300
        The longest reply, in tokens; ``None`` for no limit. A ``budget`` requires a limit.
    temperature : float, optional
        0 for the likeliest answer; by default the server's own setting.
    side : int, default 512
        The longer side of pictures, in pixels. They are sent as JPEG without metadata.
    budget : float, optional
        The highest total cost of all answers in ``out`` to these questions by this model, in the
        currency of the provider's ``price``.
    consent : bool, default False
        Whether the images may leave this machine. Required unless the server runs on it.
    overwrite : bool, default False
        Replace a table of other settings or pairs.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        One row per pair (and question), in the order of the pairs: their columns; ``question``,
        if there are several; ``annotator``, which is "model:" and the name of the model;
        ``judgement`` (0, 1 or 2, or missing); and the ``reason`` for a missing one (a refusal, a
        reply that is none of the answers, no answer, an unreadable file, the budget).

    Raises
    ------
    ImagestrataError
        Without consent (nothing is sent then, and the error reports what would be sent and its
        cost); if the server refuses every request, ten pairs in a row receive no answer or no
        valid one, an argument is out of range, or ``out`` cannot be written or holds other
        judgements.

    Warns
    -----
    UserWarning
        If pairs have no answer yet, or the model gave none of the answers.

    Notes
    -----
    A reply that is none of the answers, word for word, is asked for again, up to three times, and
    is then missing: nothing is guessed. Refusals are final. The same call asks again for pairs
    that received no answer (failures of the server, the budget).

    *People's pairs.* People must judge a random sample of the pairs of each stratum. The result
    of :func:`sample_pairs` is in random order: its first 150 rows are such a sample. Draw many
    pairs for the model (2,000, for instance), since only people's time is scarce.

    The model sees the left image of a pair first. :func:`sample_pairs` puts either image there at
    random.
    """
    table = _one_row_each(pairs)
    asked, words = _asked(table, graded, questions)
    settings = _settings(provider, asked, max_tokens, temperature, side)
    consent = check_bool("consent", consent)
    budget = check_budget(budget, provider, settings["max_tokens"])
    files = {
        # Ids that depend on the images alone, since answers are stored by them.
        pair_id(a, b): [(a, path_a), (b, path_b)]
        for a, b, path_a, path_b in table[["image_a", "image_b", "path_a", "path_b"]].itertuples(
            index=False
        )
    }
    step = Step(
        out,
        "judge",
        settings,
        inputs=fingerprint([table["pair_id"].tolist(), [*files]]),
        made_from=_drawn_in(out, table),
        overwrite=check_bool("overwrite", overwrite),
    )
    assert step.folder is not None
    answers = _stored(step.folder, settings)
    failed: dict[str, str] = {}

    def make() -> pd.DataFrame:
        given = (files, provider, asked, settings, answers, budget, consent, progress)
        failed.update(ask_questions(*given, unit="pair", what="Judging"))
        name = PREFIX + settings["model"]
        made = _table(table, [*files], asked, words, answers, failed, name)
        warn_invalid(made["reason"], "pair", f"Try another model, or other {arg('questions')}.")
        return made

    def counts(made: pd.DataFrame) -> dict[str, Any] | None:
        if failed:
            return None
        lines = [answers.found[one] for one in files]
        return {
            "pairs": len(table),
            "without": int(made["judgement"].isna().sum()),
            "attempts": sum(line["attempt"] or 0 for line in lines),
            "cost": answers.spent,
            "sent_to": provider.host,
            "models": sorted({line["model"] for line in lines} - {None}),
        }

    return step.table(make, counts, read=read_judgements, identity=judgements_fingerprint)


def judge_costs(
    pairs: Any,
    provider: Any,
    out: str | os.PathLike[str] | None,
    graded: bool,
    questions: Any,
    max_tokens: int | None,
    temperature: float | None,
    side: int,
) -> pd.DataFrame:
    """The table of :func:`costs` for pairs, each of which is judged at the first attempt."""
    table = _one_row_each(pairs)
    asked, _ = _asked(table, graded, questions)
    settings = _settings(provider, asked, max_tokens, temperature, side)
    answers = _stored(None if out is None else check_path("out", out), settings)
    ids = [pair_id(*images) for images in table[["image_a", "image_b"]].itertuples(index=False)]
    n_done = len(ids) - len(unfinished(ids, answers))
    row = model_costs(provider, settings, len(ids), n_done, answers)
    return pd.DataFrame([{"n_pairs": row.pop("n_images"), **row}])


def _asked(
    pairs: pd.DataFrame, graded: bool, questions: Any
) -> tuple[list[Question], Sequence[str]]:
    """The checked questions about each pair, and their answers."""
    usual, words = usual_words(graded)
    texts = check_questions(questions, usual, [*pairs])
    return with_answers(None, None, {name: (one, [*words]) for name, one in texts.items()}), words


def _settings(provider: Any, asked: Sequence[Question], *limits: Any) -> dict[str, Any]:
    """The checked settings that affect an answer."""
    return {
        **check_provider("provider", provider).identity(),
        "questions": [one.as_settings() for one in asked],
        "prompt": prompt_of(asked, None, "the two images"),
        "pictures": 2,
        **check_limits(*limits),
    }


def _stored(folder: Path | None, settings: Mapping[str, Any]) -> Answers:
    place = None if folder is None else folder / "judgements" / "answers.jsonl"
    return Answers(place, fingerprint(settings), FIELDS)


def read_judgements(folder: Path) -> pd.DataFrame:
    """Read the judgements of a run folder by a model."""
    folder = step_folder(folder, "judge")
    names = ("pair_id", "image_a", "image_b", "path_a", "path_b", "annotator")
    file = folder / "judgements.csv"
    texts = (*names, "stratum", "question", "reason")
    try:
        stored = read_typed(file, names, texts=texts, ours=True)
        check_pairs(stored, "judgement", repeated=True)
        stored["judgement"] = stored["judgement"].astype(float)
        stored["reason"] = stored["reason"].astype("str")
    except (ValueError, KeyError) as error:
        raise damaged(file, error) from None
    return located(stored, folder, "judge", {"path_a": "image_a", "path_b": "image_b"})


def judgements_fingerprint(judged: pd.DataFrame) -> str:
    """Fingerprint of the judgements of a model."""
    question = judged["question"].tolist() if "question" in judged else []
    answers = judged["judgement"].fillna(-1).tolist()
    return fingerprint([judged["pair_id"].tolist(), question, answers])


def _one_row_each(pairs: Any) -> pd.DataFrame:
    """The pairs, each in one row, without what somebody said about them."""
    table = check_pairs(pairs, "path_a", "path_b", repeated=PLAIN in getattr(pairs, "columns", ()))
    table = table.drop(columns=[name for name in _ANSWER if name in table])
    table = table.drop_duplicates("pair_id", ignore_index=True)
    if table.empty:
        raise ImagestrataError(f"{arg('pairs')} has no rows.")
    return table


def _drawn_in(out: str | os.PathLike[str], pairs: pd.DataFrame) -> dict[str, str]:
    """The pairs of a run folder, if these are some of them."""
    held = held_result(out, "pairs")
    if held is None or not pairs["pair_id"].isin(read_drawn_pairs(Path(out))["pair_id"]).all():
        return {}
    return {"pairs": held}


def _table(
    pairs: pd.DataFrame,
    ids: list[str],
    questions: list[Question],
    words: Sequence[str],
    answers: Answers,
    failed: Mapping[str, str],
    annotator: str,
) -> pd.DataFrame:
    """One row per pair and question, with a judgement or the reason for a missing one."""
    rows = []
    for one in ids:
        line = answers.found.get(one) or {}
        for asked in questions:
            said, reason = label_of(asked.code, line, failed.get(one))
            judgement = np.nan if said is None else float(words.index(said))
            rows.append((asked.code, annotator, judgement, reason))
    made = pairs.loc[pairs.index.repeat(len(questions))].reset_index(drop=True)
    told = pd.DataFrame(rows, columns=[*_ANSWER])
    told = told.astype({"question": "str", "annotator": "str", "reason": "str"})
    made[[*told]] = told
    return made.drop(columns=QUESTION) if [one.code for one in questions] == [PLAIN] else made
