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
from ..posts.values import UNITS, values_of_clusters
from ..validate import check_choice, check_int
from ..verbs import public
from ..wording import arg, quote
from .keywords import check_separator

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
    unit: str = "image",
    author: str = "author",
    period: str | None = None,
    images: Any = None,
) -> pd.DataFrame:
    """Count values of metadata in each cluster, and compare them with the whole corpus.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    metadata : DataFrame, optional
        The result of :func:`link_posts`, or a table with the column and ``image_id``, ``path`` or
        ``file`` (a unique end of the path suffices); an image can have several rows. Rows of a copy
        belong to the image that was kept. By default the images of the clustering, with the copies
        in the scan of the run folder.
    column : str
        Name of the column, such as author, time, party or hashtags. Its values are read as
        text; divide numbers into groups first. Every element of a cell that is a list or
        array is a value.
    separator : str, optional
        Separator of the entries of a text that is a list, such as ``" "`` for hashtags. By
        default a text is one value.
    n : int, default 10
        Number of values per cluster; a cluster can have fewer.
    order : {"frequency", "lift"}, default "frequency"
        Order by which values are selected: by number of images (posts or authors), or by
        ``lift_low``, the lower end of the interval of the lift (since rare values have high lifts
        by chance).
    min_images : int, default 1
        Smallest number of images (posts or authors, by ``unit``) of the corpus with a value; rarer
        values are left out.
    unit : {"image", "post", "author"}, default "image"
        What is counted: distinct images, posts (column ``post_id``) or authors. An image has the
        values of all posts that show it, and an author those of all the author's posts.
    author : str, default "author"
        The column of authors, for ``unit="author"``.
    period : {"day", "week", "month", "year"}, optional
        The values of a column of times: the day, the first day of the week (Monday), the month or
        the year. Texts are read as times as :func:`read_posts` does. By default, columns of times
        are counted by day, in their own time zone, and texts as they are.
    images : DataFrame or path, optional
        The table of :func:`scan_images`, or a run folder with it, in which copies are looked up. By
        default the run folder of the clustering.

    Returns
    -------
    DataFrame
        One row per cluster and value, those of the residual (cluster -1) last:

        - ``cluster`` (and ``cluster_name``, if clusters have names), its ``size`` in images,
          ``rank`` (from 1), ``value``;
        - ``n_images`` of the cluster with the value; ``n_posts`` or ``n_authors``, if ``unit``
          says so;
        - ``n``: the units that show the cluster and have any value;
        - ``share``: the units with the value divided by ``n``, with ``conf_low`` and ``conf_high``
          (95%, Wilson);
        - ``share_corpus``: the same share among all units with any value, including the
          residual;
        - ``lift``: ``share / share_corpus``, with ``lift_low`` and ``lift_high`` (95%);
          above 1, the value is over-represented;
        - ``unit``.

        A unit counts once for a value and a cluster. A post that shows several clusters counts for
        each of them, so shares of a value need not add up over clusters. Units without any value
        do not count.

    Raises
    ------
    ImagestrataError
        If the column does not exist, has no value for images of the clustering, or has no
        value with ``min_images`` images; if ids of posts or authors are missing that ``unit``
        needs; if texts are no times although ``period`` is given.

    Warns
    -----
    UserWarning
        If rows name no image of the clustering, or have no id of the unit, with their number.

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
    zero. Intervals assume that images (posts) are drawn independently. Those of one author or one
    day are not, and many values are compared: use the intervals for exploration only. With
    ``unit="author"`` each author counts once.

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
    found = values_of_clusters(
        clustering, metadata, column, name="metadata", residual="together", unit=unit,
        author=author, images=images, period=period,
    )  # fmt: skip
    sizes = clustering.images["cluster"].value_counts()
    counts = _count(found, separator, min_images)
    counts.insert(1, "size", counts["cluster"].map(sizes))
    if counts.empty:
        raise ImagestrataError(
            f"The column {quote(column)} of {plural(found['unit'].nunique(), unit)} has no value "
            f"that occurs in at least {plural(min_images, unit)}.",
            f"Lower {arg('min_images')}, or give the separator of values as {arg('separator')}.",
        )
    measured = _measured(counts).assign(unit=unit, **{f"n_{unit}s": counts["n_units"]})
    best = _best(measured, n, "n_units" if order == "frequency" else "lift_low")
    return with_names(best, clustering.clusters)


def _count(found: pd.DataFrame, separator: str | None, min_images: int) -> pd.DataFrame:
    """``cluster``, ``value``, ``n_images``, ``n_units``, ``n``, and both in the whole corpus.

    The units that show a cluster are compared with the others, so that a unit's values count for
    all of its clusters.
    """

    def cut(text: str) -> list[str]:
        pieces = [text] if separator is None else text.split(separator)
        return [" ".join(piece.split()) for piece in pieces if piece.strip()]

    codes, texts = pd.factorize(found["text"])
    values = pd.Series([cut(text) for text in texts], dtype=object).explode().dropna()
    coded, known = pd.factorize(values)
    rows = found.assign(text=codes, unit=pd.factorize(found["unit"])[0]).merge(
        pd.DataFrame({"text": values.index, "value": coded}), on="text"
    )
    pairs = rows[["unit", "value"]].drop_duplicates()
    shown = rows[["unit", "cluster"]].drop_duplicates()
    group = ["cluster", "value"]
    both = shown.merge(pairs, on="unit").groupby(group).size().rename("n_units")
    images = rows[[*group, "image_id"]].drop_duplicates().groupby(group).size()
    counts = both.reset_index()
    counts["n_images"] = images.reindex(both.index, fill_value=0).to_numpy()
    counts["n"] = counts["cluster"].map(shown["cluster"].value_counts())
    counts["n_units_corpus"] = counts["value"].map(pairs["value"].value_counts())
    counts["n_corpus"] = pairs["unit"].nunique()
    counts = counts[counts["n_units_corpus"] >= min_images].reset_index(drop=True)
    return counts.assign(value=np.asarray(known, dtype=object)[counts["value"]])


def _measured(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts with shares, lifts and their intervals."""
    part, whole = counts["n_units"].to_numpy(), counts["n"].to_numpy()
    rest_part = counts["n_units_corpus"].to_numpy() - part
    rest_whole = counts["n_corpus"].to_numpy() - whole
    low, high = wilson(part, whole)
    ratio_low, ratio_high = ratio_interval(part, whole, rest_part, rest_whole)
    weight = whole / counts["n_corpus"].to_numpy()
    share_corpus = counts["n_units_corpus"] / counts["n_corpus"]
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
    numbers = [f"n_{unit}s" for unit in UNITS if f"n_{unit}s" in ordered]
    columns = [
        "cluster", "size", "rank", "value", *numbers, "n", "share", "conf_low", "conf_high",
        "share_corpus", "lift", "lift_low", "lift_high", "unit",
    ]  # fmt: skip
    return ordered.loc[ordered["rank"] <= n, columns].reset_index(drop=True)
