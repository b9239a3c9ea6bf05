"""Group clusters into themes, and draw the tree from which they are cut."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..clustering import themes
from ..clustering.clustering import Clustering, check_clustering
from ..clustering.themes import default_name
from ..errors import ImagestrataError, plural
from ..validate import check_bool, check_int
from ..verbs import public
from ..wording import arg, kind_of, quote
from .keywords import check_keywords, cluster_keywords

#: Number of terms, or of names of clusters, in the name of a theme.
_TERMS, _NAMES = 3, 2


@public
def group_clusters(
    clustering: Clustering,
    n: int | None = None,
    *,
    names: Mapping[int, str] | None = None,
    keywords: pd.DataFrame | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Clustering:
    """Group clusters into themes: build a tree over the clusters, and cut it.

    Parameters
    ----------
    clustering : Clustering
        The result of :func:`cluster_images` or :func:`edit_clusters`. It does not change: a
        clustering with themes is returned.
    n : int, optional
        Number of themes. By default a rule decides, see Notes.
    names : dict of int to str, optional
        Names of themes by number. If ``clustering`` has themes already and ``n`` is not given, they
        stay and are renamed.
    keywords : DataFrame, optional
        The result of :func:`cluster_keywords`, from which themes are named. By default it is made
        from the column ``description`` of the images, if there is one.
    out : path, optional
        Run folder with the clustering. The themes are stored there, and :meth:`Clustering.load`
        returns the clustering with them. Themes can be renamed, and clusters that were edited can
        be grouped anew, without ``overwrite``.
    overwrite : bool, default False
        Replace other themes in ``out``.

    Returns
    -------
    Clustering
        The same clusters. ``images`` and ``clusters`` have the columns theme (1 is the theme with
        most images) and theme_name. The residual is no cluster: its images have no theme.
        ``Clustering.themes`` has one row per theme, ``Clustering.tree`` the tree.

    Raises
    ------
    ImagestrataError
        If there are no clusters, or fewer than ``n``; if ``names`` names a theme that does not
        exist; or if ``out`` contains another clustering or other themes.

    Notes
    -----
    *Tree.* The distance of two clusters is one minus the cosine of the directions in which their
    centroids lie from the mean of all centroids, after these were scaled to length one. (It is the
    Euclidean distance of the centroids for vectors that UMAP placed and for those of fewer than 10
    dimensions, whose angles mean nothing.) The two groups of clusters with the smallest mean
    distance are joined, until all are one: average linkage, by SciPy. On photographs with known
    categories, this agreed better with these than Ward's, complete and single linkage, than
    centroids about the mean image, and than distances after the neighbourhood step, which keeps
    clusters apart but forgets which of them are similar (``benchmarks/results/themes.md``).

    *Number.* Without ``n``, groups are joined while their mean distance is below 95 percent of the
    mean distance of all clusters. Clusters that are similar to no others are themes of their own.
    The largest gap between the heights of merges, and the highest silhouette of the clusters,
    agreed less well with the categories.

    *Names.* A theme is named by its three first keywords: those with the highest mean of 1 / rank
    in its clusters, weighted by the sizes of these. Without keywords, it has the names of its two
    largest clusters that have one (:func:`edit_clusters`), or is called "Theme 1".

    *Later changes.* New images have the theme of the cluster that they join. Edits of the clusters
    are followed, see :func:`edit_clusters`. If all images are clustered anew, the themes move to
    ``replaced/`` with everything else that uses the clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import Clustering, group_clusters
    >>> places = np.array([[0, 0], [0, 1], [9, 0], [9, 1]])
    >>> found = Clustering.from_labels(places, ["cats", "dogs", "bikes", "cars"])
    >>> topics = group_clusters(found, n=2, names={1: "Animals"})
    >>> topics.themes[["theme", "theme_name", "clusters"]].values.tolist()
    [[1, 'Animals', '1 2'], [2, 'bikes, cars', '3 4']]
    >>> topics.tree["height"].tolist()[:2]
    [1.0, 1.0]
    """
    check_clustering(clustering)
    overwrite = check_bool("overwrite", overwrite)
    given = _check_names(names)
    if clustering.clusters.empty:
        raise ImagestrataError(
            "The clustering has no clusters to group: all images are in the residual."
        )
    if n is None and given and themes.has_themes(clustering):
        result = _named(clustering, given)
        return result if out is None else themes.stored(result, None, out, overwrite)
    numbers = clustering.clusters["cluster"].astype(int).tolist()
    if n is not None:
        n = check_int("n", n, minimum=1)
        if n > len(numbers):
            raise ImagestrataError(
                f"{arg('n', n)} themes are more than the {plural(len(numbers), 'cluster')}.",
                f"Use a smaller {arg('n')}.",
            )
    tree = themes.grow_tree(clustering)
    groups = themes.cut_tree(tree, numbers, n or themes.usual_number(tree))
    size = dict(zip(numbers, clustering.clusters["size"].astype(int), strict=True))
    groups.sort(key=lambda group: (-sum(size[number] for number in group), min(group)))
    theme_of = {number: i for i, group in enumerate(groups, 1) for number in group}
    found = _default_names(clustering, theme_of, keywords)
    result = _named(themes.with_columns(clustering, theme_of, found, tree=tree), given)
    return result if out is None else themes.stored(result, n, out, overwrite)


def _check_names(names: Any) -> dict[int, str]:
    """Names by number of theme."""
    if names is None:
        return {}
    if isinstance(names, pd.Series):
        names = names.to_dict()
    example = {1: "Animals"}
    if not isinstance(names, Mapping):
        raise ImagestrataError(
            f"{arg('names')} must be a dictionary such as {example}, not {kind_of(names)}."
        )
    found = {}
    for key, text in names.items():
        if not isinstance(text, str) or not text.strip():
            raise ImagestrataError(
                f"{arg('names')} must give each theme a text, not {quote(text)}."
            )
        digits = isinstance(key, str) and key.strip().isdigit()
        found[int(key) if digits else check_int("names", key)] = " ".join(text.split())
    return found


def _named(clustering: Clustering, names: Mapping[int, str]) -> Clustering:
    """The clustering with other names of themes."""
    known = themes.names_of(clustering)
    unknown = [number for number in names if number not in known]
    if unknown:
        raise ImagestrataError(
            f"{arg('names')} names the theme {unknown[0]}; the themes are 1 to {max(known)}.",
        )
    named = known | dict(names)
    twice = [name for number, name in names.items() if [*named.values()].count(name) > 1]
    if twice:
        raise ImagestrataError(f"Two themes would have the name {quote(twice[0])}.")
    theme_of = themes.pairs_of(clustering.clusters)
    origin = themes.origin_of(clustering)
    return themes.with_columns(clustering, theme_of, named, origin, clustering.tree)


def _default_names(
    clustering: Clustering, theme_of: Mapping[int, int], keywords: pd.DataFrame | None
) -> dict[int, str]:
    """The name of each theme: keywords, names of clusters, or its number."""
    clusters = clustering.clusters
    terms = _terms(clustering, theme_of, keywords)
    found: dict[int, str] = {}
    for theme in sorted({*theme_of.values()}):
        inside = clusters[clusters["cluster"].map(theme_of) == theme]
        words = terms.get(theme, [])
        if not words and "cluster_name" in inside:
            largest = inside.sort_values("size", ascending=False, kind="stable")
            words = largest["cluster_name"].dropna().head(_NAMES).astype(str).tolist()
        name = ", ".join(words) or default_name(theme)
        if name in found.values():
            name = f"{name} ({theme})"
        found[theme] = name
    return found


def _terms(
    clustering: Clustering, theme_of: Mapping[int, int], keywords: pd.DataFrame | None
) -> dict[int, list[str]]:
    """The first terms of each theme: those with the highest weighted mean of 1 / rank."""
    if keywords is None and "description" in clustering.images:
        try:
            keywords = cluster_keywords(clustering)
        except ImagestrataError:  # the descriptions have no words
            keywords = None
    size = clustering.clusters.set_index("cluster")["size"]
    rows = [
        (theme_of[number], term, size[number] / rank)
        for number, terms in check_keywords(keywords, 100).items()
        if number in theme_of
        for rank, term in enumerate(terms, 1)
    ]
    table = pd.DataFrame(rows, columns=["theme", "term", "score"])
    scores = table.groupby(["theme", "term"])["score"].sum().reset_index()
    scores = scores.sort_values(["theme", "score", "term"], ascending=[True, False, True])
    best = scores.groupby("theme").head(_TERMS).groupby("theme")["term"]
    return {int(str(theme)): list(terms) for theme, terms in best}
