"""Combination of several annotators' answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..finetune.rules import combine_labels
from ..tables import label_texts
from ..validate import check_choice
from ..verbs import public
from ..wording import arg, quote
from .agreement import check_judgements
from .label_table import check_labels, check_once, disputes, is_labels

RULES = ("majority", "all", "any", "mean")


@public
def consensus(answers: pd.DataFrame, rule: str = "majority") -> pd.DataFrame:
    """Combine several annotators' judgements of pairs, or labels of images.

    Parameters
    ----------
    answers : DataFrame
        Judged pairs, as in the result of :func:`read_pairs`: the columns ``pair_id``,
        ``annotator`` and ``judgement``, and the further columns of the pairs. Or labels, as in
        the result of :func:`read_labels`: ``image_id``, ``code``, ``label``, ``annotator``. Or
        labels in columns: a row per image and annotator with ``image_id`` or ``path``, optionally
        ``annotator``, and a column per label with 1, 0 or nothing.
    rule : {"majority", "all", "any", "mean"}, default "majority"
        "majority": the most frequent answer; undecided if several answers tie. "all": the
        answer of all annotators; undecided if they differ. "any": the highest judgement, or
        1 if any annotator says so. "mean": the mean; a label is 1 if the mean is one half
        or more. "any" and "mean" are for numbers, not for choices or free text.

    Returns
    -------
    DataFrame
        **Judgements.** One row per pair, in the given order: the columns of the pairs,
        ``judgement`` (NaN if undecided) and ``n_annotators``. A warning
        counts the undecided pairs; :func:`score_clustering` leaves them out.

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

    Raises
    ------
    ImagestrataError
        If an annotator judged a pair or labelled an image twice, no column names images, or a
        label is not 1, 0 or nothing.
    """
    rule = check_choice("rule", rule, RULES)
    if is_labels(answers):
        return _of_labels(check_labels(answers, "answers"), rule)
    if not {"pair_id", "judgement"} & {*getattr(answers, "columns", ())}:
        return combine_labels(answers, rule)
    table = check_judgements(answers, "answers")
    decided = _decided(table, ["pair_id"], "judgement", rule)
    n_annotators = table.groupby("pair_id", sort=False).size()
    undecided = int(decided.isna().sum())
    if undecided:
        warn(f"{undecided} of {plural(len(decided), 'pair')} are undecided: {_why(rule)}.")
    pairs = answers.drop_duplicates("pair_id").drop(columns=["annotator", "judgement"])
    pairs = pairs[pairs["pair_id"].isin(n_annotators.index)].reset_index(drop=True)
    return pairs.assign(
        judgement=pairs["pair_id"].map(decided).astype(float),
        n_annotators=pairs["pair_id"].map(n_annotators).astype(int),
    )


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


def _of_labels(table: pd.DataFrame, rule: str) -> pd.DataFrame:
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
    made = made[[*keys, "label", "note", "kind", "n_annotators"]]
    shown = disputes(table).astype(object)
    made.attrs["disputed"] = shown.where(shown.notna(), None).to_dict("records")
    return made


def _notes(table: pd.DataFrame, keys: list[str]) -> pd.Series[Any]:
    """All notes about an image, with the names of annotators."""
    noted = table.dropna(subset="note")
    who = noted["annotator"].fillna("")
    texts = noted["note"].where(who == "", who + ": " + noted["note"])
    return texts.groupby([noted[key] for key in keys]).agg("; ".join)
