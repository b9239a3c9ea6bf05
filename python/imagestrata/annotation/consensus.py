"""Combination of several annotators' answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..finetune.rules import combine_labels
from ..tables import label_texts, with_text_ids
from ..text.machines import by_machine, refuse_machine_labels
from ..validate import check_choice, check_idle
from ..verbs import public
from ..wording import arg, quote, verb
from .agreement import check_judgements
from .disputes import disputed_pairs, keys_of
from .label_table import check_labels, check_once, disputes, is_labels
from .questions import PLAIN, QUESTION

RULES = ("majority", "all", "any", "mean")


@public
def consensus(
    answers: pd.DataFrame, rule: str = "majority", *, meeting: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Combine several annotators' judgements of pairs, or labels of images.

    Parameters
    ----------
    answers : DataFrame
        Judged pairs, as in the result of :func:`read_pairs`: the columns ``pair_id``,
        ``annotator`` and ``judgement``, with several questions ``question``, and the further
        columns of the pairs. Or labels, as in
        the result of :func:`read_labels`: ``image_id``, ``code``, ``label``, ``annotator``. Or
        labels in columns: a row per image and annotator with ``image_id`` or ``path``, optionally
        ``annotator``, and a column per label with 1, 0 or nothing.
    rule : {"majority", "all", "any", "mean"}, default "majority"
        "majority": the most frequent answer; undecided if several answers tie. "all": the
        answer of all annotators; undecided if they differ. "any": the highest judgement, or
        1 if any annotator says so. "mean": the mean; a label is 1 if the mean is one half
        or more. "any" and "mean" are for numbers, not for choices or free text.
    meeting : DataFrame, optional
        The answers of a meeting, as :func:`read_pairs` or :func:`read_labels` return them, one for
        each pair and question or each image and code. They replace the answers of the annotators,
        who must not include the meeting.

    Returns
    -------
    DataFrame
        **Judgements.** One row per pair, and per question if there are several, in the given
        order: the columns of the pairs, ``question``, ``judgement`` (NaN if undecided) and
        ``n_annotators`` (without the meeting). A warning counts the undecided pairs;
        :func:`score_clustering` leaves them out. ``attrs["disputed"]`` has the judgements of pairs
        on which annotators disagree, for a meeting:
        ``pd.DataFrame(decided.attrs["disputed"])`` has a row for each annotator of such a pair,
        with the columns of the pairs, ``annotator``, ``judgement`` and ``disagreement``, the
        largest first. This is the mean squared difference between two annotators' judgements, with
        two possible answers the share of two annotators who disagree.
        ``export_pairs(disputed=)`` makes a page of these pairs.

        **Labels.** One row per image and code, in the given order: ``image_id``, ``code``,
        ``label`` (missing if undecided, or if everybody skipped the image), ``note`` (of all
        annotators, with their names), ``kind``, and ``n_annotators`` with a label. A warning
        counts the undecided. ``attrs["disputed"]`` has the answers to discuss in a meeting:
        ``pd.DataFrame(decided.attrs["disputed"])`` has a row with ``image_id``, ``code``,
        ``annotator``, ``label`` and ``note`` for each annotator of an image on which they
        disagree. ``export_labels(disputed=)`` makes a page of these images.

        **Labels in columns.** One row per image with each label as 1, 0 or nothing, in the order
        in which images first appear. ``attrs["counts"]`` has for each ``label`` the numbers of
        images that are ``positive``, ``negative``, ``tied`` (dropped) and ``unlabelled``, and of
        those on which annotators disagree (``disputed``).

        Judgements by models (of :func:`judge_pairs`) and labels by models (of :func:`tag_images`)
        are left out, with a warning: a model has no vote. If all are by models, they are combined,
        and the column ``annotator`` remains, with their names.

    Raises
    ------
    ImagestrataError
        If an annotator judged a pair or labelled an image twice, no column names images, a
        label is not 1, 0 or nothing, or a meeting answers twice or about something that nobody
        else did.
    """
    rule = check_choice("rule", rule, RULES)
    refuse_machine_labels(meeting, "meeting", "Only people decide in place of annotators.")
    if isinstance(answers, pd.DataFrame):
        answers = with_text_ids(answers)
    answers, models = _without_models(answers)
    if is_labels(answers):
        held = None if meeting is None else check_labels(meeting, "meeting")
        return _of_labels(check_labels(answers, "answers"), rule, held, models)
    if not {"pair_id", "judgement"} & {*getattr(answers, "columns", ())}:
        check_idle("with labels in columns", meeting=(meeting is not None, False))
        return _of_columns(answers, rule, models)
    table = check_judgements(answers, "answers")
    keys = keys_of(table)
    held = None if meeting is None else check_judgements(meeting, "meeting")
    decided = _decided(table, keys, "judgement", rule)
    if held is not None:
        decided = _replaced(decided, held, keys, "judgement")
    n_annotators = table.groupby(keys, sort=False).size()
    undecided = int(decided.isna().sum())
    if undecided:
        what = "judgement" if QUESTION in table else "pair"
        warn(f"{undecided} of {plural(len(decided), what)} are undecided: {_why(rule)}.")
    last = [PLAIN, "annotator", "n_annotators"] + ([QUESTION] if QUESTION in table else [])
    pairs = answers[[name for name in answers if name not in last]].drop_duplicates("pair_id")
    made = pairs.merge(n_annotators.rename("n_annotators").reset_index(), on="pair_id")
    places = made.set_index(keys).index
    order = [*pairs, *keys[1:], "judgement", "n_annotators"]
    made = made.assign(judgement=decided.reindex(places).to_numpy(dtype=float))[order]
    made = made.assign(**models)
    shown = disputed_pairs(answers, "answers", held).astype(object)
    made.attrs["disputed"] = shown.where(shown.notna(), None).to_dict("records")
    return made


def _of_columns(answers: pd.DataFrame, rule: str, models: dict[str, str]) -> pd.DataFrame:
    """One row per image, a column per label."""
    made = combine_labels(answers, rule)
    named = made.assign(**models)
    named.attrs = made.attrs
    return named


def _replaced(
    decided: pd.Series[Any], meeting: pd.DataFrame, keys: list[str], answer: str
) -> pd.Series[Any]:
    """The decisions, those of a meeting in place of others."""
    pair = keys[0].removesuffix("_id")
    if (QUESTION in meeting) != (QUESTION in keys):
        raise ImagestrataError(
            f"{arg('meeting')} and {arg('answers')} must both have the column "
            f"{quote(QUESTION)}, or both lack it.",
            "Export the meeting's pairs with the questions of the annotators.",
        )
    twice = meeting.duplicated(keys)
    if twice.any():
        raise ImagestrataError(
            f"{arg('meeting')} has several answers to {plural(int(twice.sum()), pair)}, "
            f"{quote(meeting.loc[twice, keys[0]].iloc[0])} for one.",
            "A meeting gives one answer: keep the file of the meeting only.",
        )
    given = meeting.set_index(keys)[answer]
    other = ~given.index.isin(decided.index)
    if other.any():
        what = " and ".join(f"{name.removesuffix('_id')}s" for name in keys)
        first = meeting.loc[other, keys[0]].iloc[0]
        raise ImagestrataError(
            f"{int(other.sum())} of {plural(len(given), 'answer')} of the meeting are about {what} "
            f"that nobody in {arg('answers')} answered, {quote(first)} for one.",
            "Give the answers of the annotators, and the meeting's answers about the same.",
        )
    return given.reindex(decided.index).where(decided.index.isin(given.index), decided)


def _without_models(answers: Any) -> tuple[Any, dict[str, str]]:
    """Answers by people, or if there are none those by models, with the names of these."""
    machine = by_machine(answers) if isinstance(answers, pd.DataFrame) else pd.Series([False])
    if not machine.any():
        return answers, {}
    names = [*dict.fromkeys(answers.loc[machine, "annotator"])]
    if machine.all():
        return answers.drop(columns="reason", errors="ignore"), {"annotator": ", ".join(names)}
    of_pairs = "judgement" in answers
    user = verb("score_clustering") if of_pairs else verb("label_shares")
    warn(
        f"{plural(int(machine.sum()), 'judgement' if of_pairs else 'label')} by "
        f"{', '.join(names)} are left out: a model has no vote among people.",
        f"Give them as {arg('machine' if of_pairs else 'predictions')} to {user}.",
    )
    return answers[~machine], {}


def _why(rule: str) -> str:
    return "their annotators tie" if rule == "majority" else "their annotators differ"


def _decided(table: pd.DataFrame, keys: list[str], answer: str, rule: str) -> pd.Series[Any]:
    """The answer to each pair, or image and code; missing if undecided."""
    groups = table.groupby(keys, sort=False)[answer]
    if rule == "majority":
        return _majority(table, keys, answer, groups.size().index)
    if rule == "all":
        return groups.first().where(groups.nunique() == 1)
    return groups.max() if rule == "any" else groups.mean()


def _majority(table: pd.DataFrame, keys: list[str], answer: str, index: pd.Index) -> pd.Series[Any]:
    votes = table.groupby([*keys, answer]).size().rename("votes").reset_index()
    votes = votes[votes["votes"] == votes.groupby(keys)["votes"].transform("max")]
    winners = votes.drop_duplicates(keys, keep=False).set_index(keys)[answer]
    return winners.reindex(index)


def _of_labels(
    table: pd.DataFrame, rule: str, meeting: pd.DataFrame | None, models: dict[str, str]
) -> pd.DataFrame:
    """One label per image and code."""
    keys = ["image_id", "code"]
    if table["annotator"].notna().any():
        check_once(table)
    if rule in ("any", "mean"):
        odd = table[table["kind"].isin(["choice", "text"])]
        if len(odd):
            raise ImagestrataError(
                f"The labels of the code {quote(odd['code'].iloc[0])} have no order, which "
                f"{arg('rule', rule)} needs.",
                f"Use {arg('rule', 'majority')} or {arg('rule', 'all')}, or give the other codes "
                "alone.",
            )
    given = table.dropna(subset="label")
    if rule in ("any", "mean"):
        numbers = given.assign(label=pd.to_numeric(given["label"]).astype(float))
        decided = _decided(numbers, keys, "label", rule)
        kinds = given.drop_duplicates(keys).set_index(keys)["kind"].reindex(decided.index)
        half = (decided >= 0.5).astype(float)  # a mean of yes and no
        decided = label_texts(decided.where(kinds != "binary", half))
    else:
        decided = _decided(given, keys, "label", rule)
    made = table.drop_duplicates(keys)[[*keys, "kind"]].reset_index(drop=True)
    places = pd.MultiIndex.from_frame(made[keys])
    shown = disputes(table).astype(object)
    if meeting is not None:
        meeting = meeting.dropna(subset="label")
        decided = _replaced(decided.reindex(places), meeting, keys, "label")
        open_still = ~pd.MultiIndex.from_frame(shown[keys]).isin(meeting.set_index(keys).index)
        shown = shown[open_still]
    n_annotators = given.groupby(keys).size().reindex(places).fillna(0).astype(int)
    labels = decided.reindex(places).astype("str")
    undecided = int((labels.isna().to_numpy() & (n_annotators > 0).to_numpy()).sum())
    if undecided:
        warn(f"{undecided} of {plural(len(made), 'label')} are undecided: {_why(rule)}.")
    made = made.assign(
        label=labels.to_numpy(),
        note=_notes(table, keys).reindex(places).astype("str").to_numpy(),
        n_annotators=n_annotators.to_numpy(),
    )
    for column in ("label", "note"):
        made[column] = made[column].astype("str")
    made = made[[*keys, "label", "note", "kind", "n_annotators"]].assign(**models)
    made.attrs["disputed"] = shown.where(shown.notna(), None).to_dict("records")
    return made


def _notes(table: pd.DataFrame, keys: list[str]) -> pd.Series[Any]:
    """All notes about an image, with the names of annotators."""
    noted = table.dropna(subset="note")
    who = noted["annotator"].fillna("")
    texts = noted["note"].where(who == "", who + ": " + noted["note"])
    return texts.groupby([noted[key] for key in keys]).agg("; ".join)
