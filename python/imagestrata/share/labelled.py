"""Sentences on labels, predictions and estimates from both, for the methods paragraph.

R writes the same sentences without Python: ``R/methods-labels.R``. The expected text in
``tests/fixtures/methods-labels.txt`` holds both together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..errors import plural
from ..text.machines import PREFIX, by_machine

_KINDS = {"binary": "yes or no", "choice": "a choice", "scale": "a scale", "text": "free text"}


def describe_labelled(result: Any) -> list[str]:
    """Sentences on labels, agreement, predictions or shares; none for other results."""
    if not isinstance(result, pd.DataFrame):
        return []
    columns = {*result.columns}
    if {"code", "method", "estimate", "n_labelled"} <= columns and "summary" in result.attrs:
        return _shares(result)
    if {"measure", "method", "estimate", "conf_low", "n_predicted"} <= columns:
        return _corrected(result)
    if {"pair_id", "judgement"} <= columns:
        return [_judged(result)]
    if {"measure", "annotators", "estimate", "conf_low"} <= columns:
        return [_agreement(result)]
    if {"image_id", "label"} <= columns and columns & {"split", "probability", "decision"}:
        return [_predictions(result)]
    if {"image_id", "code", "label"} <= columns:
        return [_consensus(result) if "n_annotators" in columns else _labels(result)]
    return []


def _labels(table: pd.DataFrame) -> str:
    machine = by_machine(table)
    said = [] if machine.all() else [_labels_of_people(table[~machine])]
    if machine.any():
        table = table[machine]
        images = table.loc[table["label"].notna(), "image_id"].nunique()
        said.append(f"{_models(table)} labelled {plural(images, 'image')}, for {_codes(table)}.")
        said += _unanswered(table["label"], "label")
    return " ".join(said)


def _labels_of_people(table: pd.DataFrame) -> str:
    given = table[table["label"].notna()]
    images = given["image_id"].nunique()
    named = "annotator" in given and bool(given["annotator"].notna().any())
    by = f" by {plural(given['annotator'].nunique(), 'annotator')}" if named else ""
    text = f"We had {plural(images, 'image')} labelled{by}, for {_codes(table)}."
    several = int((given.groupby("image_id")["annotator"].nunique() > 1).sum()) if named else 0
    if several:
        has = "has" if several == 1 else "have"
        text += (
            f" {plural(several, 'image')} ({several / images:.1%}) {has} labels of more than one "
            "annotator."
        )
    if n := int(table["label"].isna().sum()):
        text += f" {plural(n, 'label')} {_is(n)} missing, as annotators passed over the image."
    if "seconds" in table and table["seconds"].notna().any():
        each = table.dropna(subset="seconds").drop_duplicates(["image_id", "annotator"])
        text += f" The median time for an image was {each['seconds'].median():.1f} seconds."
    return text


def _judged(table: pd.DataFrame) -> str:
    """Who judged how many pairs."""
    if "annotator" not in table:
        n, undecided = table["pair_id"].nunique(), int(table["judgement"].isna().sum())
        text = f"Judgements were combined to one for each of {plural(n, 'pair')} of images."
        missing = f" {plural(undecided, 'judgement')} {_is(undecided)} undecided and missing."
        return text + (missing if undecided else "")
    machine, said = by_machine(table), []
    people, model = table[~machine], table[machine]
    if len(people):
        given = people[people["judgement"].notna()]
        who = plural(given["annotator"].nunique(), "annotator")
        said.append(f"{who} judged {plural(given['pair_id'].nunique(), 'pair')} of images.")
    if len(model):
        n = model.loc[model["judgement"].notna(), "pair_id"].nunique()
        said.append(f"{_models(model)} judged {plural(n, 'pair')} of images.")
        said += _unanswered(model["judgement"], "judgement")
    return " ".join(said)


#: Scores of pairs in words; others have their own name.
_SCORES = {"mean_pr": "mean of precision and recall", "f1": "F1"}


def _corrected(table: pd.DataFrame) -> list[str]:
    """Scores by a model's judgements that those of people correct."""
    row = table.iloc[0]
    said = [
        f"A model judged {plural(int(row['n_predicted']), 'pair')} of images, and people "
        f"{int(row['n_pairs']):,} of them, a random part of each stratum, whose judgements "
        "corrected those of the model (sampling in two phases, Neyman 1938; Cochran 1977)."
    ]
    each = []
    for _, one in table[table["method"] == "corrected"].iterrows():
        known = one["conf_low"] == one["conf_low"]
        limits = f" ({one['conf_low']:.2f} to {one['conf_high']:.2f})" if known else ""
        question = f" for {one['question']}" if "question" in table else ""
        name = _SCORES.get(one["measure"], one["measure"])
        each.append(f"{name}{question} {one['estimate']:.2f}{limits}")
    return [*said, f"Corrected scores, with intervals in brackets, are: {'; '.join(each)}."]


def _models(table: pd.DataFrame) -> str:
    """ "The model llava", as the beginning of a sentence."""
    names = [*dict.fromkeys(table["annotator"].str.strip().str.removeprefix(PREFIX))]
    return f"The model{'s' if len(names) > 1 else ''} {_and(names)}"


def _unanswered(answers: pd.Series[Any], noun: str) -> list[str]:
    n = int(answers.isna().sum())
    return [f"{plural(n, noun)} {_is(n)} missing, as the model gave no valid answer."] if n else []


def _consensus(table: pd.DataFrame) -> str:
    text = (
        "Labels of several annotators were combined to one for each image and code: "
        f"{plural(len(table), 'label')} of {plural(table['image_id'].nunique(), 'image')}."
    )
    undecided = int((table["label"].isna() & (table["n_annotators"] > 0)).sum())
    if undecided:
        text += f" {plural(undecided, 'label')} {_is(undecided)} undecided and missing."
    return text


def _agreement(table: pd.DataFrame) -> str:
    alpha = table["measure"].str.startswith("krippendorff_alpha") & table["estimate"].notna()
    by = next((name for name in ("code", "question") if name in table), None)
    rows = table[alpha].drop_duplicates(by) if by else table[alpha].head(1)
    if rows.empty:
        return "Agreement between annotators could not be measured."
    unit = "image" if "n_images" in table else "pair"
    said = []
    for _, row in rows.iterrows():
        level = row["measure"].removeprefix("krippendorff_alpha_")
        of = f" for {row[by]}" if by else ""
        interval = f"{row['conf_low']:.2f} to {row['conf_high']:.2f}; {level}"
        said.append(f"{row['estimate']:.2f} ({interval}){of}")
    n = rows[f"n_{unit}s"]
    least, most = int(n.min()), int(n.max())
    numbers = plural(most, unit) if least == most else f"{least:,} to {plural(most, unit)}"
    return (
        f"Agreement between annotators, from {numbers} with answers of two or more, was measured "
        "by Krippendorff's alpha, with a Bayesian bootstrap interval and the level of measurement "
        f"in brackets: {_and(said)}."
    )


def _predictions(table: pd.DataFrame) -> str:
    images = table["image_id"].nunique()
    what = "code" if "code" in table else "label"
    names = [*dict.fromkeys(table[what].dropna())]
    listed = f" ({_and(names)})" if len(names) <= 8 else ""
    text = (
        f"{plural(images, 'image')} {'has' if images == 1 else 'have'} predictions of "
        f"{plural(len(names), what)}{listed}{_by(table)}."
    )
    if "split" in table:
        splits = table.drop_duplicates("image_id")["split"]
        if n := int((splits == "fold").sum()):
            text += (
                f" Labels of {plural(n, 'image')} trained the model in folds: a model that had "
                "not seen the label of an image predicted this image."
            )
        if n := int(splits.isin(["train", "val"]).sum()):
            text += f" The model had seen the labels of {plural(n, 'image')}."
    return text


def _by(table: pd.DataFrame) -> str:
    """The models that made predictions, if the table names them, with a space before them."""
    named = table[by_machine(table)]
    return f" by {_models(named).replace('The', 'the', 1)}" if len(named) else ""


#: What the weights of :func:`label_shares` mean.
_WEIGHTS = {
    "image": "every image counts once",
    "post": "an image counts as often as posts show it",
    "share": "an image counts as often as it was shared",
}
_METHODS = {
    "machine": "by predictions alone", "sample": "by the sample alone", "corrected": "corrected"
}  # fmt: skip
#: With more estimates than that, a paragraph does not list them.
_MOST = 6


def _shares(table: pd.DataFrame) -> list[str]:
    line = table.attrs["summary"]
    columns = [*table.columns]
    between = columns[columns.index("label") + 1 : columns.index("method")]
    by = [name for name in between if name not in ("cluster_name", "theme_name")]
    named = f" by {' and '.join(by)}" if by else ""
    said = [
        f"We estimated how often labels for {_and([*dict.fromkeys(table['code'])])} occur{named} "
        f"among {plural(line['n_images'], 'image')} ({_WEIGHTS[line['weight']]}), from labels of "
        f"{line['n_labelled']:,} of them, a random sample stratified by cluster "
        f"({plural(line['n_strata'], 'stratum', 'strata')})."
    ]
    # A paragraph says this once, however many tables it describes.
    if "corrected" in {*table["method"]}:
        said.append(
            "Corrected estimates are the weighted means of these labels plus the difference "
            "between the mean prediction of all images and that of the labelled ones, times a "
            "factor between 0 and 1 that minimises the variance (prediction-powered inference, "
            "Angelopoulos et al. 2023, for a stratified sample, Fisch et al. 2024)."
        )
    if line["weight"] == "post":
        said.append("Standard errors also account for the dependence of posts of the same author.")
    level = f"{100 * line['conf_level']:g}% intervals"
    groups = [*table.groupby(["code", "label", *by], sort=False, dropna=False)]
    if len(groups) > _MOST:
        return [*said, f"We report {level}."]
    each = "; ".join(f"{_named(key)}: {_estimates(rows)}" for key, rows in groups)
    return [*said, f"Estimates, with {level}, are: {each}."]


def _named(key: Any) -> str:
    """ "protest" for yes or no, "setting: indoors", and the groups."""
    code, label, *groups = key
    binary = label != label or label is None or label == "1"
    values = [f"{one:%Y-%m-%d}" if isinstance(one, pd.Timestamp) else str(one) for one in groups]
    return ", ".join([str(code) if binary else f"{code} {label}", *values])


def _estimates(rows: pd.DataFrame) -> str:
    of_scale = rows["label"].isna().all()

    def shown(x: float) -> str:
        return f"{x:.2f}" if of_scale else f"{x:.1%}"

    said = []
    for _, row in rows.iterrows():
        text = f"{shown(row['estimate'])}" if row["estimate"] == row["estimate"] else "unknown"
        if row["method"] != "machine" and row["conf_low"] == row["conf_low"]:
            text += f" ({shown(row['conf_low'])} to {shown(row['conf_high'])})"
        said.append(f"{text} {_METHODS[row['method']]}")
    return _and(said)


def _codes(table: pd.DataFrame) -> str:
    """Codes in their order, with their kinds."""
    kinds = table.drop_duplicates("code")
    said = [
        f"{code} ({_KINDS[kind]})" if kind in _KINDS else str(code)
        for code, kind in zip(
            kinds["code"], kinds["kind"] if "kind" in kinds else [None] * len(kinds), strict=True
        )
    ]
    return _and(said)


def _and(words: Sequence[Any]) -> str:
    *others, last = words
    return f"{', '.join(map(str, others))} and {last}" if others else str(last)


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
