"""Words that distinguish clusters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..clustering.clustering import Clustering, check_clustering
from ..clustering.named import with_names
from ..errors import ImagestrataError, plural
from ..posts.values import UNITS, values_of_clusters
from ..tables import check_table
from ..text.tag_table import decided
from ..validate import check_choice, check_int
from ..verbs import public
from ..wording import arg, quote

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A word: letters and digits of any script, apostrophes and hyphens inside, a leading # or @.
_WORD = re.compile(r"[#@]?\w+(?:['’-]\w+)*")

#: Words of descriptions in general, which are not informative about an image.
UNINFORMATIVE = frozenset(
    """
    appear appears appearing atmosphere background capture captures capturing connotation
    connotations connotative connote connotes convey conveyed conveying conveys depict depicted
    depicting depiction depicts description display displayed displays emphasize emphasizes evoke
    evokes evoking feature featured features featuring foreground highlight highlighting highlights
    illustrate illustrates image imagery images implies imply implying indicate indicates indicating
    likely meaning mood overall paragraph photo photograph photographs photos picture pictured
    pictures portray portrayed portraying portrays possibly potentially reflect reflecting reflects
    reinforce reinforces represent representing represents scene seem seems sense setting show
    showing shown shows suggest suggested suggesting suggestive suggests symbolize symbolizes
    symbolizing theme tone underscore underscores various view viewer visible visual visually
    """.split()  # noqa: SIM905 - a list of a hundred strings is no better to read
)

_ORDERS = ("ctfidf", "frex", "frequency")


@public
def cluster_keywords(
    clustering: Clustering,
    texts: pd.DataFrame | None = None,
    *,
    column: str = "description",
    separator: str | None = None,
    n: int = 10,
    order: str = "ctfidf",
    min_images: int = 2,
    stop_words: str | Iterable[str] | None = "english",
    drop: Iterable[str] | None = None,
    unit: str = "image",
    author: str = "author",
    residual: str = "drop",
    images: Any = None,
) -> pd.DataFrame:
    """Find the words that are typical of each cluster.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images`.
    texts : DataFrame, optional
        The texts and a column ``image_id``, ``path`` or ``file``: the result of
        :func:`describe_images`, :func:`tag_images` or :func:`link_posts`, or your own table. The
        texts of several rows of one image are joined; those of a copy belong to the image that was
        kept. By default the texts are a column of the clustering's images.
    column : str, default "description"
        Column with the texts (``"label"`` in the result of :func:`tag_images`; if there is a
        column ``decision``, only labels with the value True count).
    separator : str, optional
        Separator of terms in a text that is a list, such as ``";"``; terms can then have
        several words, as labels do. By default texts are divided into words: sequences of
        letters and digits of any script, with a leading # or @.
    n : int, default 10
        Number of terms per cluster; a cluster can have fewer.
    order : {"ctfidf", "frex", "frequency"}, default "ctfidf"
        Score by which the terms of a cluster are selected and ordered; see below.
    min_images : int, default 2
        Smallest number of images (posts or authors, by ``unit``) with a term; rarer terms, such as
        misspellings and names, are left out.
    stop_words : "english", sequence of str, or None; default "english"
        Words to leave out. ``"english"`` is the list of scikit-learn and words that are
        common in descriptions of images (*conveys*, *suggests*, *image*). Give a sequence
        for other languages.
    drop : sequence of str, optional
        Further words to leave out.
    unit : {"image", "post", "author"}, default "image"
        What is counted. The text of a post counts once for an image, and, with ``"post"`` and
        ``"author"``, once for a cluster, however many of its images the post shows.
    author : str, default "author"
        The column of authors, for ``unit="author"``.
    residual : {"drop", "together"}, default "drop"
        The residual is no topic, and its texts are left out; ``"together"`` makes it a further
        group (cluster -1), with which the clusters are compared as well.
    images : DataFrame or path, optional
        The table of :func:`scan_images`, or a run folder with it, in which copies are looked up. By
        default the run folder of the clustering.

    Returns
    -------
    DataFrame
        One row per cluster and term, best first:

        - ``cluster`` (and ``cluster_name``, if clusters have names), ``rank`` (from 1),
          ``term`` (in lower case);
        - ``n``: frequency in the cluster's texts;
        - ``n_images`` with the term; ``n_posts`` or ``n_authors``, if ``unit`` says so;
        - ``share`` of units with the term among the cluster's units with a text;
        - ``ctfidf``: class-based TF-IDF, see Notes;
        - ``exclusivity``: rate of the term in this cluster as a share of the sum of its rates
          in all clusters; 1 for a term that occurs in no other cluster;
        - ``frex``: combination of frequency and exclusivity, between 0 and 1;
        - ``unit``.

    Raises
    ------
    ImagestrataError
        If the column of texts does not exist, or no text of an image in a cluster has a term
        that is kept.

    Notes
    -----
    The texts of a cluster count as one document (Grootendorst 2022, *BERTopic*):
    ``ctfidf = r * log(1 + a / f)``, with the rate ``r`` of a term among the cluster's
    terms, its frequency ``f`` in all clusters, and the average number ``a`` of terms in a
    cluster.

    ``frex`` is the harmonic mean of two ranks among the cluster's terms, as shares: the
    ranks of rate and of exclusivity (Bischof and Airoldi 2012; with equal weights, as
    in the R package stm).

    Examples
    --------
    >>> from imagestrata import Embeddings, cluster_images, cluster_keywords
    >>> import pandas as pd
    >>> points = Embeddings.from_arrays([[0.0], [0.1], [9.0], [9.1]], ["a", "b", "c", "d"])
    >>> clustering = cluster_images(
    ...     points, method="kmeans", n_clusters=2, progress=False
    ... )
    >>> texts = pd.DataFrame({
    ...     "image_id": ["a", "b", "c", "d"],
    ...     "caption": ["a grey cat", "one cat, asleep", "the dog barks", "dog and ball"],
    ... })
    >>> sorted(cluster_keywords(clustering, texts, column="caption")["term"])
    ['cat', 'dog']
    """
    check_clustering(clustering)
    n = check_int("n", n, minimum=1)
    min_images = check_int("min_images", min_images, minimum=1)
    order = check_choice("order", order, _ORDERS)
    separator = check_separator(separator)
    ignored = _stop_words(stop_words) | {
        word.lower() for word in _words("drop", [] if drop is None else drop)
    }
    residual = check_choice("residual", residual, ("drop", "together"))
    if column == "label" and isinstance(texts, pd.DataFrame) and column in texts:
        texts = decided(texts)  # a table with the probability of every label of every image
    found = values_of_clusters(
        clustering, texts, column, name="texts", residual=residual, unit=unit, author=author,
        images=images,
    )  # fmt: skip
    counts = _count_terms(found, _cutter(separator, ignored), min_images, unit)
    if counts.empty:
        raise ImagestrataError(
            f"The column {quote(column)} of {plural(found['unit'].nunique(), unit)} in clusters "
            f"leaves no terms that occur in at least {plural(min_images, unit)}.",
            f"Lower {arg('min_images')}, or check whether {arg('stop_words')} or {arg('drop')} "
            "contain all words.",
        )
    texts_per_cluster = found.groupby("cluster")["unit"].nunique()
    scored = _scores(counts)
    scored["share"] = scored[f"n_{unit}s"] / scored["cluster"].map(texts_per_cluster)
    best = _best(scored, n, "n" if order == "frequency" else order)
    return with_names(best.assign(unit=unit), clustering.clusters)


def check_keywords(keywords: Any, n: int) -> dict[int, list[str]]:
    """The first ``n`` terms of each cluster, from a table of :func:`cluster_keywords`."""
    if keywords is None:
        return {}
    keywords = check_table("keywords", keywords, ("cluster", "rank", "term"), "cluster_keywords")
    ranked = keywords.sort_values(["cluster", "rank"])
    return {
        int(str(cluster)): [str(term) for term in terms["term"].head(n)]
        for cluster, terms in ranked.groupby("cluster")
    }


def _words(name: str, words: Any) -> list[str]:
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise ImagestrataError(f"{arg(name)} must be a list of words, not {quote(words)}.")
    found = list(words)
    if not all(isinstance(word, str) for word in found):
        raise ImagestrataError(f"{arg(name)} must be a list of words; it contains other values.")
    return found


def _stop_words(stop_words: Any) -> set[str]:
    if stop_words is None:
        return set()
    if stop_words == "english":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        return {*ENGLISH_STOP_WORDS, *UNINFORMATIVE}
    return {word.lower() for word in _words("stop_words", stop_words)}


def check_separator(separator: Any) -> str | None:
    """The checked separator of entries in a text that is a list."""
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise ImagestrataError(
            f"{arg('separator')} must be a text such as {quote(';')}, or {quote(None)}, not "
            f"{quote(separator)}."
        )
    return separator


def _cutter(separator: str | None, ignored: set[str]) -> Callable[[str], list[str]]:
    """A function that divides a text into terms."""

    def cut(text: str) -> list[str]:
        pieces = _WORD.findall(text) if separator is None else text.split(separator)
        terms = (" ".join(piece.lower().split()) for piece in pieces)
        return [
            term for term in terms
            if term not in ignored and (separator or len(term) > 1) and term.strip("0123456789 ")
        ]  # fmt: skip

    return cut


def _count_terms(
    found: pd.DataFrame, cut: Callable[[str], list[str]], min_images: int, unit: str
) -> pd.DataFrame:
    """``cluster``, ``term``, ``n``, ``n_images`` and the number of units, of frequent terms."""
    codes, texts = pd.factorize(found["text"])
    terms = pd.Series([cut(text) for text in texts], dtype=object).explode().dropna()
    coded, vocabulary = pd.factorize(terms)
    found = found.assign(
        text=codes, unit=pd.factorize(found["unit"])[0], image=pd.factorize(found["image_id"])[0]
    )
    # A post has its text once for each of its images, or once for a cluster.
    own = ["image"] if unit == "image" else []
    found["first"] = ~found.duplicated(["cluster", "post", "place", "text", *own])
    rows = found[["cluster", "unit", "image", "text", "first"]].merge(
        pd.DataFrame({"text": terms.index, "term": coded}), on="text"
    )
    units_with = rows[["term", "unit"]].drop_duplicates()["term"].value_counts()
    rows = rows[rows["term"].map(units_with) >= min_images]
    group = ["cluster", "term"]
    counts = rows.groupby(group)["first"].sum().rename("n").to_frame()
    for name in dict.fromkeys(("image", unit)):
        distinct = rows[[*group, "image" if name == "image" else "unit"]].drop_duplicates()
        counts[f"n_{name}s"] = distinct.groupby(group).size()
    counts = counts.reset_index()
    return counts.assign(term=np.asarray(vocabulary, dtype=object)[counts["term"]])


def _scores(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts with ``ctfidf``, ``exclusivity`` and ``frex``."""
    in_cluster = counts.groupby("cluster")["n"].transform("sum")
    rate = counts["n"] / in_cluster
    average = counts["n"].sum() / counts["cluster"].nunique()
    in_all = counts.groupby("term")["n"].transform("sum")
    scored = counts.assign(
        ctfidf=rate * np.log1p(average / in_all),
        exclusivity=rate / rate.groupby(counts["term"]).transform("sum"),
    )
    frequent = _rank_shares(rate, counts["cluster"])
    exclusive = _rank_shares(scored["exclusivity"], counts["cluster"])
    scored["frex"] = 2 / (1 / frequent + 1 / exclusive)
    return scored


def _rank_shares(values: pd.Series[float], clusters: pd.Series[int]) -> NDArray[np.float64]:
    """The rank of each value within its cluster, as a share of the number of values."""
    shares = values.groupby(clusters).rank(method="average", pct=True)
    return np.asarray(shares, dtype=np.float64)


def _best(scored: pd.DataFrame, n: int, by: str) -> pd.DataFrame:
    """The ``n`` best terms of each cluster; ties by frequency, then in alphabetical order."""
    ordered = scored.sort_values(
        ["cluster", by, "n", "term"], ascending=[True, False, False, True], ignore_index=True
    )
    ordered["rank"] = ordered.groupby("cluster").cumcount() + 1
    numbers = [f"n_{unit}s" for unit in UNITS if f"n_{unit}s" in ordered]
    columns = [
        "cluster", "rank", "term", "n", *numbers, "share", "ctfidf", "exclusivity",
        "frex",
    ]  # fmt: skip
    return ordered.loc[ordered["rank"] <= n, columns].reset_index(drop=True)
