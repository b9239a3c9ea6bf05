"""Authors, hashtags, days or tags that are over-represented in clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import with_names
from ..errors import ImagestrataError, plural
from ..finetune.scores import wilson
from ..validate import check_choice, check_int
from ..verbs import public
from ..wording import arg, quote
from .keywords import check_separator, values_of_clusters

Floats = NDArray[np.float64]

_ORDERS = ("frequency", "lift")


@public
def cluster_metadata(
    clustering: Clustering,
    metadata: pd.DataFrame | None = None,
    *,
    column: str,
    separator: str | None = None,
    n: int = 10,
    order: str = "frequency",
    min_images: int = 1,
) -> pd.DataFrame:
    """Count values of metadata in each cluster, and compare them with the whole corpus.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    metadata : DataFrame, optional
        Table with the column and ``image_id``, ``path`` or ``file`` (a unique end of the path
        suffices); an image can have several rows. By default the images of the clustering.
    column : str
        Name of the column, such as author, day, party or hashtags. Its values are read as
        text; divide numbers into groups first. Every element of a cell that is a list or
        array is a value.
    separator : str, optional
        Separator of the entries of a text that is a list, such as ``" "`` for hashtags. By
        default a text is one value.
    n : int, default 10
        Number of values per cluster; a cluster can have fewer.
    order : {"frequency", "lift"}, default "frequency"
        Order by which values are selected: by number of images, or by ``lift_low``, the lower
        end of the interval of the lift (since rare values have high lifts by chance).
    min_images : int, default 1
        Smallest number of images of the corpus with a value; rarer values are left out.

    Returns
    -------
    DataFrame
        One row per cluster and value, those of the residual (cluster -1) last:

        - ``cluster`` (and ``cluster_name``, if clusters have names), its ``size`` in images,
          ``rank`` (from 1), ``value``;
        - ``n_images`` of the cluster with the value, and ``n`` with any value;
        - ``share``, their ratio, with ``conf_low`` and ``conf_high`` (95%, Wilson);
        - ``share_corpus``: the same share among all images with any value, including the
          residual;
        - ``lift``: ``share / share_corpus``, with ``lift_low`` and ``lift_high`` (95%);
          above 1, the value is over-represented.

        An image counts once for a value. Images without any value do not count.

    Raises
    ------
    ImagestrataError
        If the column does not exist, has no value for images of the clustering, or has no
        value with ``min_images`` images.

    Notes
    -----
    Tables A3 to A5 of the study list, for every cluster and the residual, its size and the
    number of images with a hashtag or author; ``n_images`` is that number.

    A cluster is part of the corpus, so the two shares of the lift are not independent.
    The shares p in the cluster and q in the rest of the corpus are independent. With w, the
    cluster's share of the images, ``lift = p / (w p + (1 - w) q) = 1 / (w + (1 - w) q / p)``
    increases with the ratio p / q: its interval is the transformed interval of the ratio.
    That interval is computed from Wilson's intervals of p and q (MOVER-R; Donner and Zou
    2012, Newcombe 2016), which, unlike Katz's logarithm, needs no correction if a count is
    zero. Intervals assume that images are drawn independently. Images of one author or one
    day are not, and many values are compared: use the intervals for exploration only.

    Examples
    --------
    >>> from imagestrata import Embeddings, cluster_images, cluster_metadata
    >>> import pandas as pd
    >>> points = Embeddings.from_arrays([[0.0], [0.1], [9.0], [9.1]], ["a", "b", "c", "d"])
    >>> clustering = cluster_images(
    ...     points, method="kmeans", n_clusters=2, progress=False
    ... )
    >>> posts = pd.DataFrame({
    ...     "image_id": ["a", "b", "c", "d"],
    ...     "hashtags": ["#vote", "#vote #now", "#cats", "#cats #now"],
    ... })
    >>> table = cluster_metadata(clustering, posts, column="hashtags", separator=" ")
    >>> sorted(table.loc[table["rank"] == 1, "value"])
    ['#cats', '#vote']
    """
    check_clustering(clustering)
    if not isinstance(column, str):
        raise ImagestrataError(
            f"{arg('column')} must be the name of a column, not {quote(column)}."
        )
    separator = check_separator(separator)
    n = check_int("n", n, minimum=1)
    min_images = check_int("min_images", min_images, minimum=1)
    order = check_choice("order", order, _ORDERS)
    found = values_of_clusters(clustering, metadata, column, name="metadata", residual="together")
    sizes = clustering.images["cluster"].value_counts()
    counts = _count(found, separator, min_images)
    counts.insert(1, "size", counts["cluster"].map(sizes))
    if counts.empty:
        raise ImagestrataError(
            f"The column {quote(column)} of {plural(found['image_id'].nunique(), 'image')} has no "
            f"value that occurs in at least {plural(min_images, 'image')}.",
            f"Lower {arg('min_images')}, or give the separator of values as {arg('separator')}.",
        )
    best = _best(_measured(counts), n, "n_images" if order == "frequency" else "lift_low")
    return with_names(best, clustering.clusters)


def _count(found: pd.DataFrame, separator: str | None, min_images: int) -> pd.DataFrame:
    """``cluster``, ``value``, ``n_images``, ``n``, and both counts in the whole corpus."""

    def cut(text: str) -> list[str]:
        pieces = [text] if separator is None else text.split(separator)
        return [" ".join(piece.split()) for piece in pieces if piece.strip()]

    rows = found.assign(value=found["text"].map(cut)).explode("value").dropna(subset="value")
    rows = rows.drop_duplicates(["image_id", "value"])
    known = rows.drop_duplicates("image_id")
    in_corpus = rows["value"].value_counts()
    counts = rows.groupby(["cluster", "value"]).size().rename("n_images").reset_index()
    counts["n"] = counts["cluster"].map(known["cluster"].value_counts())
    counts["n_images_corpus"] = counts["value"].map(in_corpus)
    counts["n_corpus"] = len(known)
    return counts[counts["n_images_corpus"] >= min_images].reset_index(drop=True)


def _measured(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts with shares, lifts and their intervals."""
    part, whole = counts["n_images"].to_numpy(), counts["n"].to_numpy()
    rest_part = counts["n_images_corpus"].to_numpy() - part
    rest_whole = counts["n_corpus"].to_numpy() - whole
    low, high = wilson(part, whole)
    ratio_low, ratio_high = ratio_interval(part, whole, rest_part, rest_whole)
    weight = whole / counts["n_corpus"].to_numpy()
    share_corpus = counts["n_images_corpus"] / counts["n_corpus"]
    return counts.assign(
        share=part / whole,
        conf_low=low,
        conf_high=high,
        share_corpus=share_corpus,
        lift=part / whole / share_corpus,
        lift_low=_lift(ratio_low, weight),
        lift_high=_lift(ratio_high, weight),
    )


def ratio_interval(part: Any, whole: Any, rest_part: Any, rest_whole: Any) -> tuple[Floats, Floats]:
    """Ends of the 95% interval of the ratio of two independent shares, by MOVER-R.

    All arguments are arrays of counts. NaN if the second share is undefined, as for a
    cluster that contains all images.
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    rest_part, rest_whole = np.asarray(rest_part, float), np.asarray(rest_whole, float)
    low, high = wilson(part, whole)
    rest_low, rest_high = wilson(rest_part, rest_whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = part / whole, rest_part / rest_whole
        both = (p * q) ** 2
        below, above = low * (2 * p - low), rest_high * (2 * q - rest_high)
        root = np.sqrt(np.maximum(both - below * above, 0))
        # below / (p q + root) equals (p q - root) / above, and is defined where that is 0 / 0.
        least = np.where(part == 0, 0.0, below / (p * q + root))
        below, above = high * (2 * p - high), rest_low * (2 * q - rest_low)
        root = np.sqrt(np.maximum(both - below * above, 0))
        most = np.where(rest_part == 0, np.inf, (p * q + root) / above)
    nothing = rest_whole == 0
    return np.where(nothing, np.nan, least), np.where(nothing, np.nan, most)


def _lift(ratio: Floats, weight: Floats) -> Floats:
    """The lift for a ratio of the share in a cluster to the share in the rest."""
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (weight + (1 - weight) / ratio), dtype=np.float64)


def _best(measured: pd.DataFrame, n: int, by: str) -> pd.DataFrame:
    """The ``n`` best values of each cluster; ties by lift, then in alphabetical order."""
    ordered = measured.assign(residual=measured["cluster"] == -1).sort_values(
        ["residual", "cluster", by, "lift", "value"],
        ascending=[True, True, False, False, True],
        ignore_index=True,
    )
    ordered["rank"] = ordered.groupby("cluster").cumcount() + 1
    columns = [
        "cluster", "size", "rank", "value", "n_images", "n", "share", "conf_low", "conf_high",
        "share_corpus", "lift", "lift_low", "lift_high",
    ]  # fmt: skip
    return ordered.loc[ordered["rank"] <= n, columns].reset_index(drop=True)
