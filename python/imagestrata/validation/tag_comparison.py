"""Frequencies of automatic tags, and their agreement with labels given by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..finetune.labels import Labelled, join_labels, read_labels
from ..finetune.scores import MEASURES, confusion_table, score_table, wilson
from ..shown import Part, Shown
from ..tables import label_texts
from ..text.tag_table import decided, looked_at, unanswered
from ..text.tags import tag_frequencies
from ..validate import check_float, columns_of
from ..verbs import public
from ..wording import arg, quote, verb

#: Name of a single tagger without a name.
_ALONE = "tags"


@dataclass(frozen=True, eq=False, repr=False)
class TagComparison(Shown):
    """Frequencies of tags, and their agreement with labels.

    Attributes
    ----------
    scores : DataFrame
        One row per tagger, label and measure: ``tagger``, ``label`` (with several labels
        also "(all)" for all together), ``measure`` (accuracy, precision, recall, f1),
        ``estimate``, ``conf_low``, ``conf_high`` (95%), and ``n``, the number of images of
        which the estimate is a share. Without rows if no labels are given.
    frequencies : DataFrame
        One row per tagger and tag, the most frequent first: ``tagger``, ``label``,
        ``n_images``, ``share`` of the tagged images, ``conf_low``, ``conf_high`` (95%,
        Wilson), and ``mean_confidence`` if the tags have a confidence.
    confusion : DataFrame
        Numbers of images by truth and decision: ``tagger``, ``label``, ``truth``, ``decision``
        ("yes", "no"), ``n``.
    images : DataFrame
        One row per tagger, label and image: ``tagger``, ``label``, ``image_id``, ``path``,
        ``truth``, ``decision`` (1, 0; truth may be missing), to inspect the mistakes.
    summary : DataFrame
        One row per tagger: ``tagger``, ``n_images`` that the tagger could read,
        ``n_unreadable``, images that could not be tagged (they do not count elsewhere),
        ``share_tagged``, ``n_tags`` (different ones); ``n_compared``, images with labels by
        hand, ``n_labels``, and for all labels together ``accuracy``, ``precision``, ``recall``,
        ``f1`` (missing without labels).
    """

    scores: pd.DataFrame
    frequencies: pd.DataFrame
    confusion: pd.DataFrame
    images: pd.DataFrame
    summary: pd.DataFrame

    def _parts(self) -> list[Part]:
        return ["Comparison of tags", (self.summary, "tagger")]


@public
def compare_tags(
    tags: pd.DataFrame | Mapping[str, pd.DataFrame],
    labels: Any = None,
    matches: Mapping[str, str | Sequence[str]] | None = None,
    *,
    min_confidence: float = 0.0,
) -> TagComparison:
    """Compare automatic tags with each other and with labels given by hand.

    Parameters
    ----------
    tags : DataFrame or mapping of names to DataFrames
        The result of :func:`tag_images`, or your own table with ``image_id`` and
        ``label`` (missing for images without one), and optionally ``confidence`` and
        ``decision`` (only tags with the value True count). Answers of a model (with ``code``) are
        tags: the code itself if the question is one of yes or no, otherwise the answer. A mapping
        holds several taggers by name.
    labels : DataFrame or path, optional
        Labels given by hand, as for :func:`fine_tune`: ``image_id`` or ``path``, and a
        column per label with 1, 0 or nothing, or one column of classes, each of which
        becomes a label. Or a row per image and code: ``image_id``, ``code``, ``label``; a code
        with the labels 1 and 0 is a label, of others each answer.
    matches : mapping, optional
        Tags that correspond to each label: ``{"protest": ["Parade", "Protest", "Crowd"]}``.
        The tagger assigns the label to an image that has any of these tags. Case is
        ignored. By default the tag with the name of the label. Labels that are not in the
        mapping are not compared.
    min_confidence : float, default 0
        Tags with a lower confidence do not count.

    Returns
    -------
    TagComparison
        Tables of frequencies, scores, confusion, and decisions on each image.

    Raises
    ------
    ImagestrataError
        If tags or labels are not as described, or have no image in common.

    Warns
    -----
    UserWarning
        If images could not be tagged, or have no label: they are left out of the scores,
        the former also of the shares. If an undefined share enters a mean over labels. If
        none of the tags for a label occurs, possibly because of a misspelling.

    Notes
    -----
    Accuracy, precision and recall are shares and have Wilson's intervals. Overall accuracy
    is the share of correct decisions; precision, recall and F1 of all labels together are
    means over labels, in which an undefined share counts as 0 (a tag that never occurs has
    no precision). Their intervals keep the decisions about one image together, as in
    ``FineTunedModel.scores``. The images with labels should be a random sample of the
    corpus: precision in particular depends on how frequent a label is.

    Examples
    --------
    >>> import pandas as pd
    >>> from imagestrata import compare_tags
    >>> tags = pd.DataFrame({"image_id": list("aabc"), "label": ["Crowd", "Flag", "Flag", None]})
    >>> labels = pd.DataFrame({"image_id": list("abc"), "protest": [1, 0, 1]})
    >>> compare_tags(tags, labels, {"protest": ["Crowd", "March"]}).confusion["n"].tolist()
    [1, 1, 0, 1]
    """
    min_confidence = check_float("min_confidence", min_confidence, minimum=0, maximum=1)
    taggers = _check_tags(tags)
    if labels is None and matches is not None:
        raise ImagestrataError(
            f"{arg('matches')} assigns tags to labels, but {arg('labels')} is {quote(None)}.",
            f"Give {arg('labels')}, or leave {arg('matches')} out.",
        )
    parts = [
        _compare_one(name, table, labels, matches, min_confidence)
        for name, table in taggers.items()
    ]
    names = ("frequencies", "scores", "confusion", "images", "summary")
    return TagComparison(
        **{name: pd.concat([part[name] for part in parts], ignore_index=True) for name in names}
    )


def _check_tags(tags: Any) -> dict[str, pd.DataFrame]:
    """Tables of tags by their taggers."""
    taggers = {str(name): table for name, table in tags.items()} if isinstance(tags, Mapping) else {
        _ALONE: tags
    }  # fmt: skip
    if not taggers:
        raise ImagestrataError(
            f"{arg('tags')} is empty.", f"Give the result of {verb('tag_images')}."
        )
    for name, table in taggers.items():
        if not isinstance(table, pd.DataFrame) or not {"image_id", "label"} <= {*table}:
            which = arg("tags") + ("" if name == _ALONE else f" of {quote(name)}")
            raise ImagestrataError(
                f"{which} must be a table with the columns image_id and label, as "
                f"{verb('tag_images')} returns it; {columns_of(table)}."
            )
    return taggers


def _compare_one(
    tagger: str, tags: pd.DataFrame, labels: Any, matches: Any, min_confidence: float
) -> dict[str, pd.DataFrame]:
    """The tables of one tagger."""
    counted = tags
    if "confidence" in tags and min_confidence > 0:
        # Images with no tag above the threshold stay, without a tag.
        counted = tags.assign(label=tags["label"].where(tags["confidence"] >= min_confidence))
    frequencies = tag_frequencies(counted)
    n_images = tags.loc[looked_at(tags), "image_id"].nunique()
    answered = (frequencies["n_images"] / frequencies["share"]).round()
    low, high = wilson(frequencies["n_images"], answered)
    frequencies.insert(3, "conf_low", low)
    frequencies.insert(4, "conf_high", high)
    unknown = unanswered(counted)
    counted = decided(counted)
    with_tag = counted.loc[counted["label"].notna(), "image_id"].nunique()
    row = {
        "tagger": tagger,
        "n_images": n_images,
        "n_unreadable": tags["image_id"].nunique() - n_images,
        "share_tagged": with_tag / n_images,
        "n_tags": len(frequencies),
    }
    tables = {"frequencies": frequencies}
    if labels is None:
        tables |= _no_scores()
    else:
        labelled = join_labels(_images(tags), _wide(labels), None, None)
        wanted = _check_matches(matches, labelled.labels)
        tables |= _score(tagger, counted, labelled, wanted, unknown)
    scores, seen = tables["scores"], tables["images"]
    row |= {"n_compared": seen["image_id"].nunique(), "n_labels": seen["label"].nunique()}
    overall = dict(zip(scores["measure"].head(4), scores["estimate"].head(4), strict=True))
    row |= {name: overall.get(name, float("nan")) for name in MEASURES}
    tables["summary"] = pd.DataFrame([row])
    for table in tables.values():
        if "tagger" not in table:
            table.insert(0, "tagger", pd.Series([tagger] * len(table), dtype="str"))
    return tables


def _images(tags: pd.DataFrame) -> pd.DataFrame:
    """The images in the form of :func:`scan_images`; those that were not tagged are rejected."""
    looked = looked_at(tags).groupby(tags["image_id"].to_numpy()).any()
    images = tags.drop_duplicates("image_id").reset_index(drop=True)
    return pd.DataFrame(
        {
            "image_id": images["image_id"].astype("str"),
            "path": images.get("path", ""),
            "status": np.where(looked.loc[images["image_id"]], "ok", "rejected"),
            "duplicate_of": None,
        }
    )


def _wide(labels: Any) -> Any:
    """Labels with a row per image and code as a table with a column per tag; others unchanged."""
    table = read_labels(labels)
    if not {"image_id", "code", "label"} <= {*table}:
        return labels
    rows = table[["image_id", "code", "label", *[one for one in ("kind",) if one in table]]]
    rows = rows.assign(label=label_texts(rows["label"])).dropna(subset=["image_id", "code"])
    again = rows.duplicated(["image_id", "code"])
    if again.any():
        one = rows[again].iloc[0]
        raise ImagestrataError(
            f"{arg('labels')} has several labels of the image {quote(one['image_id'])} for the "
            f"code {quote(one['code'])}.",
            f"Combine those of several annotators with {verb('consensus')} first.",
        )
    rows = rows.reset_index(drop=True)
    tags = decided(rows)
    found = {}
    for code, mine in rows.groupby("code", sort=False):
        known = pd.Index(mine.loc[mine["label"].notna(), "image_id"])
        by_tag = tags.loc[mine.index].dropna(subset="label").groupby("label")["image_id"]
        names = [name for name, _ in by_tag] or [str(code)]
        for name in names:
            has = {*by_tag.get_group(name)} if len(by_tag) else set()
            found[str(name)] = pd.Series(known.isin(has).astype(float), known)
    return pd.DataFrame(found).rename_axis("image_id").reset_index()


def _check_matches(matches: Any, labels: Sequence[str]) -> dict[str, set[str]]:
    """The tags, in lower case, that correspond to each label."""
    if matches is None:
        matches = {label: label for label in labels}
    if not isinstance(matches, Mapping) or not matches:
        raise ImagestrataError(
            f"{arg('matches')} must map labels to tags, not {quote(matches)}.",
            'For example {"protest": ["Parade", "Crowd"]}.',
        )
    unknown = [str(label) for label in matches if str(label) not in labels]
    if unknown:
        raise ImagestrataError(
            f"{len(unknown)} of {plural(len(matches), 'label')} in {arg('matches')} are not among "
            f"those given by hand, for example {quote(unknown[0])}; these are {', '.join(labels)}."
        )
    found = {}
    for label, tags in matches.items():
        several = [tags] if isinstance(tags, str) else list(tags)
        if not several or not all(isinstance(tag, str) for tag in several):
            raise ImagestrataError(f"The tags for {quote(label)} must be texts, not {quote(tags)}.")
        found[str(label)] = {tag.casefold() for tag in several}
    return found


def _score(
    tagger: str,
    tags: pd.DataFrame,
    labelled: Labelled,
    wanted: Mapping[str, set[str]],
    unknown: set[tuple[str, str]],
) -> dict[str, pd.DataFrame]:
    """Scores, confusion, and the decision on each image."""
    labels = [label for label in labelled.labels if label in wanted]
    truth = labelled.truth[:, [labelled.labels.index(label) for label in labels]].copy()
    lower = tags["label"].dropna().astype("str").str.casefold()
    ids = tags["image_id"].astype("str")
    decision = np.zeros(truth.shape, dtype=bool)
    for column, label in enumerate(labels):
        silent = {image_id for image_id, tag in unknown if tag.casefold() in wanted[label]}
        truth[labelled.images["image_id"].isin(silent).to_numpy(), column] = np.nan
        having = set(ids[lower.index[lower.isin(wanted[label])]])
        decision[:, column] = labelled.images["image_id"].isin(having)
        if not having:
            warn(
                f"No image has a tag for {quote(label)} ({', '.join(sorted(wanted[label]))}) by "
                f"{quote(tagger)}. Compare the spelling with {verb('tag_frequencies')}."
            )
    task = "binary" if len(labels) == 1 else "multilabel"
    several = [
        labelled.images[["image_id", "path"]].assign(
            label=label, truth=truth[:, column], decision=decision[:, column].astype(int)
        )
        for column, label in enumerate(labels)
    ]
    images = pd.concat(several, ignore_index=True)
    images["truth"] = images["truth"].astype("Int64")
    return {
        "scores": score_table(task, labels, truth, decision, where=f" by {quote(tagger)}"),
        "confusion": confusion_table(task, labels, truth, decision),
        "images": images[["label", "image_id", "path", "truth", "decision"]],
    }


def _no_scores() -> dict[str, pd.DataFrame]:
    columns: dict[str, dict[str, str]] = {
        "scores": {
            "label": "str", "measure": "str", "estimate": "float64", "conf_low": "float64",
            "conf_high": "float64", "n": "int64",
        },
        "confusion": {"label": "str", "truth": "str", "decision": "str", "n": "int64"},
        "images": {
            "label": "str", "image_id": "str", "path": "str", "truth": "Int64", "decision": "int64",
        },
    }  # fmt: skip
    return {
        name: pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})
        for name, kinds in columns.items()
    }
