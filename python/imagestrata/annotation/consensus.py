"""Combination of several annotators' answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import plural, warn
from ..finetune.rules import combine_labels
from ..validate import check_choice
from ..verbs import public
from .agreement import check_judgements

RULES = ("majority", "all", "any", "mean")


@public
def consensus(answers: pd.DataFrame, rule: str = "majority") -> pd.DataFrame:
    """Combine several annotators' judgements of pairs, or labels of images.

    Parameters
    ----------
    answers : DataFrame
        Judged pairs, as in the result of :func:`read_pairs`: the columns ``pair_id``,
        ``annotator`` and ``judgement``, and the further columns of the pairs. Or labels: a
        row per image and annotator with ``image_id`` or ``path``, optionally ``annotator``,
        and a column per label with 1, 0 or nothing.
    rule : {"majority", "all", "any", "mean"}, default "majority"
        "majority": the most frequent answer; undecided if several answers tie. "all": the
        answer of all annotators; undecided if they differ. "any": the highest judgement, or
        1 if any annotator says so. "mean": the mean; a label is 1 if the mean is one half
        or more.

    Returns
    -------
    DataFrame
        **Judgements.** One row per pair, in the given order: the columns of the pairs,
        ``judgement`` (NaN if undecided) and ``n_annotators``. A warning
        counts the undecided pairs; :func:`score_clustering` leaves them out.

        **Labels.** One row per image with each label as 1, 0 or nothing, in the order in which
        images first appear. ``attrs["counts"]`` has for each ``label`` the numbers of images
        that are ``positive``, ``negative``, ``tied`` (dropped) and ``unlabelled``, and of
        those on which annotators disagree (``disputed``).

    Raises
    ------
    ImagestrataError
        If an annotator judged a pair twice, no column names images, or a label is not 1, 0 or
        nothing.
    """
    rule = check_choice("rule", rule, RULES)
    if not {"pair_id", "judgement"} & {*getattr(answers, "columns", ())}:
        return combine_labels(answers, rule)
    table = check_judgements(answers, "answers")
    by_pair = table.groupby("pair_id", sort=False)["judgement"]
    n_annotators = by_pair.size()
    if rule == "majority":
        decided = _majority(table, n_annotators.index)
    elif rule == "all":
        decided = by_pair.first().where(by_pair.nunique() == 1)
    else:
        decided = by_pair.max() if rule == "any" else by_pair.mean()
    undecided = int(decided.isna().sum())
    if undecided:
        why = "annotators tie" if rule == "majority" else "annotators differ"
        warn(f"{undecided} of {plural(len(decided), 'pair')} are undecided: their {why}.")
    pairs = answers.drop_duplicates("pair_id").drop(columns=["annotator", "judgement"])
    pairs = pairs[pairs["pair_id"].isin(n_annotators.index)].reset_index(drop=True)
    return pairs.assign(
        judgement=pairs["pair_id"].map(decided).astype(float),
        n_annotators=pairs["pair_id"].map(n_annotators).astype(int),
    )


def _majority(table: pd.DataFrame, pairs: pd.Index) -> pd.Series[Any]:
    votes = table.groupby(["pair_id", "judgement"]).size().rename("votes").reset_index()
    votes = votes[votes["votes"] == votes.groupby("pair_id")["votes"].transform("max")]
    winners = votes.drop_duplicates("pair_id", keep=False).set_index("pair_id")["judgement"]
    return winners.reindex(pairs)
