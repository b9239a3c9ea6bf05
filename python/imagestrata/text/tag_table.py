"""The table of tags, by all ways to make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.located import reader
from ..errors import ImagestrataError
from ..tables import label_texts, with_file
from ..wording import quote
from .machines import signed

#: The reason for an image without a tag if no label was confident enough.
BELOW = "below min_confidence"

#: The reason for an image without a tag if a service has answered.
NOTHING = "nothing recognised"


def softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities that sum to 1 over the columns.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
    """
    shares = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    total: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return total


def tag_table(
    images: pd.DataFrame,
    confidences: NDArray[np.float64],
    reasons: NDArray[np.object_],
    names: Sequence[str],
    n_tags: int,
    min_confidence: float,
    more: Mapping[str, NDArray[Any]] | None = None,
) -> pd.DataFrame:
    """The table of :func:`tag_images` for labels of which each has a confidence.

    Parameters
    ----------
    images : DataFrame
        ``image_id`` and ``path``.
    confidences : ndarray of shape (n, k)
        Of each image in each label.
    reasons : sequence of str or None
        Why an image has none.
    names : sequence of str
        The labels.
    n_tags : int
    min_confidence : float
    more : mapping of str to ndarrays of shape (n, k)
        Further columns, before the reason; None where a value is missing.
    """
    n_tags = min(n_tags, len(names))
    # The sort is stable, so that of tied classes the first one counts.
    best = np.argsort(-confidences, axis=1, kind="stable")[:, :n_tags]
    chosen = np.take_along_axis(confidences, best, axis=1)
    kept = chosen >= min_confidence
    kept[[reason is not None for reason in reasons]] = False
    kept_or_first = kept.copy()
    kept_or_first[~kept.any(axis=1), 0] = True  # images without a tag have one row
    rows, columns = np.nonzero(kept_or_first)
    tagged = kept[rows, columns]
    why = [BELOW if reasons[row] is None else reasons[row] for row in rows]
    labels = [names[number] for number in best[rows, columns]]
    further = {
        name: pd.Series(values[rows, best[rows, columns]]).where(tagged, None)
        for name, values in (more or {}).items()
    }
    table = pd.DataFrame(
        {
            "image_id": images["image_id"].to_numpy()[rows],
            "path": images["path"].to_numpy()[rows],
            "rank": pd.Series(columns + 1, dtype="Int64").where(tagged),
            "label": pd.Series(labels, dtype="str").where(tagged),
            "confidence": np.where(tagged, chosen[rows, columns], np.nan),
            **further,
            "reason": pd.Series(why, dtype="str").where(~tagged),
        }
    )
    return with_file(table)


def tags_reader(name: str) -> Callable[[Path], pd.DataFrame]:
    """Return a function that reads the tags of a model from a run folder, with its name.

    Folders of earlier versions have none.
    """
    read = reader("tags.parquet", "tag")
    return lambda folder: signed(read(folder), name)


def looked_at(tags: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row belongs to a classified image: it has a tag, or none was found."""
    if "reason" not in tags:
        return pd.Series(True, index=tags.index)
    found = tags["label"].notna() | tags["reason"].isna()
    return found | tags["reason"].isin([BELOW, NOTHING])


def decided(tags: pd.DataFrame) -> pd.DataFrame:
    """Tags with a label only where the tagger decided for it.

    A table that lists the confidence in every label says in ``decision`` which of them hold. In a
    table with a ``code``, such as that of a model, the tag is the code where its label is "1", and
    otherwise the label.
    """
    if "code" in tags:
        return _by_code(tags)
    if "decision" not in tags:
        return tags
    holds = tags["decision"].astype("boolean").fillna(False).astype(bool)
    return tags.assign(label=tags["label"].where(holds))


def unanswered(tags: pd.DataFrame) -> set[tuple[str, str]]:
    """Images and tags of which it is unknown whether they belong together.

    That is the case in a table with a ``code``, where an image has no label of a code.
    """
    if "code" not in tags:
        return set()
    found = set()
    for code, rows in tags.groupby("code", sort=False):
        names = [str(code)] if _is_binary(rows) else rows["label"].dropna().unique()
        for image_id in rows.loc[rows["label"].isna(), "image_id"].astype(str):
            found |= {(image_id, str(name)) for name in names}
    return found


def _by_code(tags: pd.DataFrame) -> pd.DataFrame:
    parts: list[pd.DataFrame] = []
    names: dict[str, str] = {}
    for code, rows in tags.groupby("code", sort=False):
        label = label_texts(rows["label"])
        if _is_binary(rows):
            label = label.where(label == "1").replace("1", str(code))
        for name in label.dropna().unique():
            other = names.setdefault(name.casefold(), str(code))
            if other != str(code):
                raise ImagestrataError(
                    f"The codes {quote(other)} and {quote(str(code))} have the same answer, "
                    f"{quote(name)}.",
                    "Use the rows of one of them at a time.",
                )
        parts.append(rows.assign(label=label))
    return pd.concat(parts).loc[tags.index] if parts and tags.index.is_unique else tags


def _is_binary(rows: pd.DataFrame) -> bool:
    """Whether the labels of a code are yes or no."""
    if "kind" in rows:
        return bool((rows["kind"] == "binary").all())
    return bool(label_texts(rows["label"].dropna()).isin(["1", "0"]).all())
