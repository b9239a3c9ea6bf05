"""How often automatic tags come, and how good they are against labels given by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural, warn
from ..finetune.labels import Labelled, join_labels
from ..finetune.scores import MEASURES, confusion_table, score_table, wilson
from ..shown import Part, Shown
from ..text.tags import looked_at, tag_frequencies
from ..validate import check_float, columns_of
from ..verbs import public
from ..wording import arg, quote, verb

#: What a tagger is called of which nobody said the name.
_ALONE = "tags"


@dataclass(frozen=True, eq=False, repr=False)
class TagComparison(Shown):
    """How often tags come, and how good they are.

    Attributes
    ----------
    scores : DataFrame
        One row per tagger, label and measure: ``tagger``, ``label`` (of several labels
        there are also rows of all together, "(all)"), ``measure`` (accuracy, precision,
        recall, f1), ``estimate``, ``conf_low``, ``conf_high`` (95%), ``n``, the images
        that the estimate is a share of. Without rows where no labels were given.
    frequencies : DataFrame
        One row per tagger and tag, the most frequent first: ``tagger``, ``label``,
        ``n_images``, ``share`` of the images that were looked at, ``conf_low``, ``conf_high`` (95%,
        Wilson), and ``mean_confidence`` where the tags have a confidence.
    confusion : DataFrame
        Images by what people and tagger say: ``tagger``, ``label``, ``truth``, ``decision``
        ("yes", "no"), ``n``.
    images : DataFrame
        One row per tagger, label and image: ``tagger``, ``label``, ``image_id``, ``path``,
        ``truth``, ``decision`` (1, 0; truth may be missing), to look at the mistakes.
    summary : DataFrame
        One row per tagger: ``tagger``, ``n_images`` that were looked at, ``n_unreadable``,
        images that could not be tagged (they count nowhere else), ``share_tagged``,
        ``n_tags`` (different ones); ``n_compared``, images with labels by hand,
        ``n_labels``, and of all labels together ``accuracy``, ``precision``, ``recall``,
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
        What :func:`tag_images` returned, or a table of yours with ``image_id`` and
        ``label`` (missing for images without one), and ``confidence`` if you have it.
        Several taggers under their names.
    labels : DataFrame or path, optional
        What people said, as for :func:`fine_tune`: ``image_id`` or ``path``, and a column
        per label with 1, 0 or nothing, or one column of classes, each of which is then a
        label.
    matches : mapping, optional
        Which tags stand for a label: ``{"protest": ["Parade", "Protest", "Crowd"]}``. An
        image has the label, by the tagger, if it has any of these tags. Upper and lower
        case are the same. By default a label's own name. Labels that are not in the
        mapping are not compared.
    min_confidence : float, default 0
        Tags below it do not count.

    Returns
    -------
    TagComparison
        Frequencies, scores, confusion, and what was said of each image.

    Raises
    ------
    ImagestrataError
        If tags or labels are not as described, or fit none of each other's images.

    Warns
    -----
    UserWarning
        If images could not be tagged, or have no label: they are left out of the scores,
        the former also of the shares. If a share of nothing enters a mean over labels.
        If none of the tags for a label ever comes, which a slip of the pen explains, too.

    Notes
    -----
    Accuracy, precision and recall are shares and have Wilson's intervals. Overall accuracy
    is the share of right answers; precision, recall and F1 of all labels together are means
    over labels, in which a share of nothing counts as 0 (a tag that never comes has no
    precision). Their intervals keep the answers about one image together, as in
    ``FineTunedModel.scores``. The images
    with labels should be a random sample of the corpus: precision in particular depends
    on how frequent a label is.

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
            f"{arg('matches')} says which tags stand for labels, but {arg('labels')} is "
            f"{quote(None)}."
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
            f"{arg('tags')} is empty.", f"Give what {verb('tag_images')} returned."
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
        # Images whose every tag is below stay, without one.
        counted = tags.assign(label=tags["label"].where(tags["confidence"] >= min_confidence))
    frequencies = tag_frequencies(counted)
    n_images = tags.loc[looked_at(tags), "image_id"].nunique()
    low, high = wilson(frequencies["n_images"], n_images)
    frequencies.insert(3, "conf_low", low)
    frequencies.insert(4, "conf_high", high)
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
        scores = tables["scores"]
    else:
        labelled = join_labels(_images(tags), labels, None, None)
        wanted = _check_matches(matches, labelled.labels)
        tables |= _score(tagger, counted, labelled, wanted)
        scores = tables["scores"]
    seen = tables["images"]
    row |= {"n_compared": seen["image_id"].nunique(), "n_labels": seen["label"].nunique()}
    overall = dict(zip(scores["measure"].head(4), scores["estimate"].head(4), strict=True))
    row |= {name: overall.get(name, float("nan")) for name in MEASURES}
    tables["summary"] = pd.DataFrame([row])
    for table in tables.values():
        if "tagger" not in table:
            table.insert(0, "tagger", pd.Series([tagger] * len(table), dtype="str"))
    return tables


def _images(tags: pd.DataFrame) -> pd.DataFrame:
    """The images, as :func:`scan_images` would list them; those not looked at are rejected."""
    images = tags.drop_duplicates("image_id").reset_index(drop=True)
    return pd.DataFrame(
        {
            "image_id": images["image_id"].astype("str"),
            "path": images.get("path", ""),
            "status": np.where(looked_at(images), "ok", "rejected"),
            "duplicate_of": None,
        }
    )


def _check_matches(matches: Any, labels: Sequence[str]) -> dict[str, set[str]]:
    """The tags, in lower case, that stand for each label."""
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
            f"those given by hand, {quote(unknown[0])} for one; these are {', '.join(labels)}."
        )
    found = {}
    for label, tags in matches.items():
        several = [tags] if isinstance(tags, str) else list(tags)
        if not several or not all(isinstance(tag, str) for tag in several):
            raise ImagestrataError(f"The tags for {quote(label)} must be texts, not {quote(tags)}.")
        found[str(label)] = {tag.casefold() for tag in several}
    return found


def _score(
    tagger: str, tags: pd.DataFrame, labelled: Labelled, wanted: Mapping[str, set[str]]
) -> dict[str, pd.DataFrame]:
    """Scores, confusion and what was said of each image."""
    labels = [label for label in labelled.labels if label in wanted]
    truth = labelled.truth[:, [labelled.labels.index(label) for label in labels]]
    lower = tags["label"].dropna().astype("str").str.casefold()
    ids = tags["image_id"].astype("str")
    decision = np.zeros(truth.shape, dtype=bool)
    for column, label in enumerate(labels):
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
