"""Themes: groups of clusters, cut from a tree over the clusters.

The tree joins the two groups of clusters with the smallest mean distance, again and again (average
linkage). ``benchmarks/themes.py`` compares distances, linkages and rules for the number of themes.

A theme is stored with the images that it had when it was made. If images later come to be in other
clusters, every cluster is in the theme of most of its images; see :func:`follow`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..files import write_table
from ..provenance import (
    Step,
    bases_have_grown,
    find_step,
    fingerprint,
    read_run,
    read_table,
    remove_drawn,
)
from ..rows import unit_rows
from ..tables import keep_given
from ..validate import check_path
from ..wording import arg, quote, verb

if TYPE_CHECKING:
    from .clustering import Clustering

#: Columns of a tree, see :attr:`Clustering.tree`.
TREE = {
    "merge": "int64", "left": "int64", "right": "int64", "height": "float64", "n_clusters": "int64",
}  # fmt: skip

#: Columns of images and clusters, and that of images whose cluster is in another theme now.
COLUMNS = THEME, NAME, FOUND = "theme", "theme_name", "theme_found"

#: Without a number of themes, clusters are joined whose mean distance is below this share of the
#: mean distance of all clusters.
NEAR = 0.95

#: Angles mean nothing in vectors of fewer dimensions, as for the neighbourhood step.
_FEWEST = 10

#: Digits of distances. Centroids in float32 have seven, which depend on the order of images.
_DIGITS = 6


def tree_table(rows: Any = ()) -> pd.DataFrame:
    """A tree with fixed column types, also without rows."""
    return pd.DataFrame([*rows], columns=[*TREE]).astype(TREE)


def metric(clustering: Clustering) -> str:
    """The distance between clusters: "cosine", or "euclidean" where angles mean nothing."""
    placed = clustering.settings["encoder"].get("reduced_by") == "umap"
    few = clustering.centroids.shape[1] < _FEWEST
    return "euclidean" if placed or few else "cosine"


def distances(clustering: Clustering) -> NDArray[np.float64]:
    """Distances between all pairs of clusters, as SciPy's :func:`pdist` orders them.

    One minus the cosine of the directions in which the centroids lie from their common mean, after
    all were scaled to length one. Of vectors whose angles mean nothing (those that UMAP placed, or
    of few dimensions), the Euclidean distance of the centroids.
    """
    from scipy.spatial.distance import pdist, squareform

    centers = clustering.centroids.astype(np.float64)
    if metric(clustering) == "euclidean":
        found: NDArray[np.float64] = pdist(centers)
        return np.round(found, _DIGITS)
    directions = unit_rows(centers)
    # Without a direction are clusters at the mean, but for errors of rounding.
    directions = unit_rows(np.round(directions - directions.mean(axis=0), _DIGITS))
    apart = np.clip(1 - directions @ directions.T, 0, 2)
    there = ~directions.any(axis=1)
    apart[np.ix_(there, there)] = 0
    np.fill_diagonal(apart, 0)
    found = squareform(apart, checks=False)
    return np.round(found, _DIGITS)


def grow_tree(clustering: Clustering) -> pd.DataFrame:
    """The tree over the clusters, from the first merge to the last."""
    from scipy.cluster.hierarchy import linkage

    numbers = clustering.clusters["cluster"].astype(int).tolist()
    n = len(numbers)
    if n < 2:
        return tree_table()
    labels = [*(-number for number in numbers), *range(1, n)]
    rows = []
    for merge, (a, b, height, size) in enumerate(linkage(distances(clustering), "average"), 1):
        # Clusters come before merges, in the order of their numbers.
        left, right = sorted((labels[int(a)], labels[int(b)]), key=lambda one: (one > 0, abs(one)))
        rows.append((merge, left, right, height, int(size)))
    return tree_table(rows)


def cut_tree(tree: pd.DataFrame, clusters: Sequence[int], n: int) -> list[list[int]]:
    """``n`` groups of clusters: those after all but the last ``n - 1`` merges.

    Clusters are in an order in which no branches of the tree cross.
    """
    groups = {-number: [number] for number in clusters}
    merges = tree[["merge", "left", "right"]].head(len(clusters) - n)
    for merge, left, right in merges.to_numpy().tolist():
        groups[merge] = groups.pop(left) + groups.pop(right)
    return [*groups.values()]


def usual_number(tree: pd.DataFrame) -> int:
    """The number of themes if none is given, see :data:`NEAR`."""
    if tree.empty:
        return 1
    sizes = dict(zip(tree["merge"], tree["n_clusters"], strict=True))
    pairs = [
        sizes.get(left, 1) * sizes.get(right, 1)
        for left, right in zip(tree["left"], tree["right"], strict=True)
    ]
    # The height of a merge is the mean distance of the pairs of clusters that it joins.
    mean = np.average(tree["height"], weights=pairs)
    return 1 + int((tree["height"] > NEAR * mean).sum())


def has_themes(clustering: Clustering) -> bool:
    """Whether the clusters were grouped into themes."""
    return THEME in clustering.clusters


def themes_table(clusters: pd.DataFrame) -> pd.DataFrame:
    """One row per theme, see :attr:`Clustering.themes`."""
    columns = [THEME, NAME, "n_clusters", "size", "share", "clusters"]
    if THEME not in clusters:
        return pd.DataFrame(columns=columns)
    inside = clusters.dropna(subset=[THEME]).astype({THEME: "int64"})
    return (
        inside.groupby(THEME)
        .agg(
            theme_name=(NAME, "first"),
            n_clusters=("cluster", "size"),
            size=("size", "sum"),
            share=("share", "sum"),
            clusters=("cluster", lambda numbers: " ".join(map(str, numbers))),
        )
        .reset_index()[columns]
    )


def with_columns(
    clustering: Clustering,
    theme_of: Mapping[int, int],
    names: Mapping[int, str],
    origin: pd.Series[Any] | None = None,
    tree: pd.DataFrame | None = None,
) -> Clustering:
    """The clustering with its themes.

    Parameters
    ----------
    clustering : Clustering
    theme_of : mapping of int to int
        The theme of each cluster; a cluster can have none.
    names : mapping of int to str
        Names of themes.
    origin : Series, optional
        The theme of each image when themes were made, missing for other images. By default the
        themes are made now.
    tree : DataFrame, optional
        The tree from which they were cut, if it still describes the clusters.
    """
    images = clustering.images
    if not has_themes(clustering):
        images = keep_given(images, COLUMNS, verb("group_clusters"))
    images, clusters = (_put(table, theme_of, names) for table in (images, clustering.clusters))
    if origin is not None:
        origin = origin.astype("Int64").set_axis(images.index)
        if (origin != images[THEME].fillna(0)).fillna(False).any():
            images.insert([*images].index(NAME) + 1, FOUND, origin)
    return replace(
        clustering,
        images=images,
        clusters=clusters,
        tree=tree_table() if tree is None else tree,
    )


def without_columns(table: pd.DataFrame) -> pd.DataFrame:
    """A table of images or clusters without their themes."""
    return table.drop(columns=[*COLUMNS], errors="ignore")


def _put(
    table: pd.DataFrame, theme_of: Mapping[int, int], names: Mapping[int, str]
) -> pd.DataFrame:
    table = without_columns(table)
    place = [*table].index("cluster_name" if "cluster_name" in table else "cluster") + 1
    themes = table["cluster"].map(pd.Series(theme_of, dtype="Int64")).astype("Int64")
    table.insert(place, THEME, themes)
    known = {number: names.get(number, default_name(number)) for number in {*theme_of.values()}}
    named = themes.map(pd.Series(known, dtype="object"))
    table.insert(place + 1, NAME, named.astype("object").astype("str"))
    return table


def default_name(theme: int) -> str:
    """The name of a theme about which nothing else is known."""
    return f"Theme {theme}"


def origin_of(clustering: Clustering) -> pd.Series[Any]:
    """The theme of each image when the themes were made."""
    images = clustering.images
    return images[FOUND] if FOUND in images else images[THEME]


def names_of(clustering: Clustering) -> dict[int, str]:
    """Names of themes by number."""
    table = themes_table(clustering.clusters)
    return dict(zip(table[THEME].astype(int), table[NAME].astype(str), strict=True))


def follow(cluster: pd.Series[Any], origin: pd.Series[Any]) -> tuple[dict[int, int], list[int]]:
    """The theme of each cluster: that of most of its images, the smaller number in case of ties.

    Parameters
    ----------
    cluster : Series
        The cluster of each image.
    origin : Series
        The theme of each image when the themes were made; missing ones do not count.

    Returns
    -------
    dict of int to int
        Clusters none of whose images had a theme are left out.
    list of int
        The clusters whose images had different themes.
    """
    votes = pd.DataFrame({"cluster": cluster.to_numpy(), "theme": origin.to_numpy()})
    votes = votes[(votes["cluster"] > 0) & votes["theme"].notna()].astype("int64")
    counts = votes.value_counts().rename("n").reset_index()
    counts = counts.sort_values(["cluster", "n", "theme"], ascending=[True, False, True])
    mixed = counts["cluster"][counts["cluster"].duplicated()].unique()
    best = counts.drop_duplicates("cluster")
    return dict(zip(best["cluster"], best["theme"], strict=True)), mixed.tolist()


def followed(before: Clustering, after: Clustering) -> Clustering:
    """An edited clustering with the themes that it had before.

    Names of clusters change no theme. If edits moved images, each cluster is in the theme of most
    of its images, and the tree is gone.
    """
    if not has_themes(before):
        return after
    after = replace(after, images=without_columns(after.images))
    origin, names = origin_of(before), names_of(before)
    if _same_clusters(before, after):
        return with_columns(after, pairs_of(before.clusters), names, origin, before.tree)
    theme_of, _ = follow(after.images["cluster"], origin)
    return with_columns(after, theme_of, names, origin)


def report(before: Clustering, after: Clustering) -> None:
    """Warn of what edits changed in the themes of a clustering, and that its tree is gone."""
    if not has_themes(after) or len(after.tree) or _same_clusters(before, after):
        return
    theme_of, mixed = follow(after.images["cluster"], origin_of(after))
    said = []
    if mixed:
        said.append(
            f"{_clusters(mixed)} images of several themes, and {_is(mixed)} in the theme of most."
        )
    alone = [int(n) for n in after.clusters["cluster"] if int(n) not in theme_of]
    if alone:
        said.append(f"{_clusters(alone)} no image that had a theme, and {_is(alone)} in none.")
    warn(
        "The edits moved images between clusters that were grouped into themes. The themes follow: "
        f"each cluster is in the theme of most of its images. {' '.join([*said, ''])}The tree no "
        f"longer describes the clusters and was removed; {verb('group_clusters')} makes themes and "
        "tree anew."
    )


def _same_clusters(one: Clustering, other: Clustering) -> bool:
    return bool((one.images["cluster"].to_numpy() == other.images["cluster"].to_numpy()).all())


def _is(clusters: list[int]) -> str:
    return "is" if len(clusters) == 1 else "are"


def _clusters(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    return f"Cluster {shown} has" if len(numbers) == 1 else f"Clusters {shown} have"


def pairs_of(clusters: pd.DataFrame) -> dict[int, int]:
    """The theme of each cluster that has one."""
    if THEME not in clusters:
        return {}
    inside = clusters.dropna(subset=[THEME])
    return dict(zip(inside["cluster"].astype(int), inside[THEME].astype(int), strict=True))


def with_themes(clustering: Clustering, folder: Path) -> Clustering:
    """The clustering of a run with the themes that the run contains.

    The file with themes is written whole, so that it can also be used if the step was interrupted.
    """
    place, entry = find_step(folder, "group")
    file = place / "themes.parquet"
    if entry is None or not file.exists():
        return clustering
    table = read_table(file).set_index("image_id")
    named = table.drop_duplicates(THEME)
    names = dict(zip(named[THEME].astype(int), named[NAME].astype(str), strict=True))
    images = clustering.images
    held = table.reindex(images["image_id"])
    origin = held[THEME].astype("Int64")
    theme_of, _ = follow(images["cluster"], origin)
    # The tree describes the clusters if no image but new ones came or went.
    cluster, then = images["cluster"].to_numpy(), held["cluster"].to_numpy()
    added = images.get("added", False)
    stays = np.where(np.isnan(then), (cluster < 0) | added, cluster == then)
    tree = read_table(place / "tree.parquet") if stays.all() else None
    return with_columns(clustering, theme_of, names, origin, tree)


def stored(
    clustering: Clustering, n: int | None, out: str | os.PathLike[str], overwrite: bool
) -> Clustering:
    """The grouped clustering, written to the run folder of its clusters.

    Parameters
    ----------
    clustering : Clustering
    n : int or None
        The number of themes that was asked for.
    out : path
    overwrite : bool
    """
    from .clustering import clusters_fingerprint

    folder = check_path("out", out)
    inputs = clusters_fingerprint(clustering.images)
    groups = fingerprint(sorted(pairs_of(clustering.clusters).items()))
    names = {str(number): name for number, name in names_of(clustering).items()}
    held = read_run(folder)["steps"].get("group")
    known = {} if held is None else held["settings"]
    if known.get("groups") == groups:
        n = known["n"]

    def may_replace(run: Path) -> bool:
        """Whether the run contains the same themes with other names, or those before edits."""
        return known.get("groups") == groups or bases_have_grown(run, "group")

    if held is not None and held["finished"] and not overwrite and not may_replace(folder):
        raise ImagestrataError(
            f"{quote(folder)} already contains {plural(held['counts']['n_themes'], 'theme')}, "
            "other ones than these.",
            f"Replace them with {arg('overwrite', True)}, or leave out {arg('out')}.",
        )
    step = Step(
        folder,
        "group",
        {"n": n, "distance": metric(clustering), "groups": groups, "names": names},
        inputs=inputs,
        made_from={"cluster": inputs},
        overwrite=overwrite,
        grows=may_replace,
        other_settings=True,
    )
    images = clustering.images.assign(**{THEME: origin_of(clustering)})
    images[NAME] = images[THEME].map(names_of(clustering))
    table = images[["image_id", "cluster", THEME, NAME]].dropna(subset=[THEME])
    table = table.astype({THEME: "int64"})

    def write(made: Clustering, run: Path) -> dict[str, int]:
        # The tree first: it does not depend on the number of themes.
        write_table(run / "tree.parquet", made.tree)
        write_table(run / "themes.parquet", table)
        remove_drawn(run, "group")
        return {"n_themes": len(made.themes), "n_clusters": len(made.clusters)}

    def read(run: Path) -> Clustering | None:
        """The themes in the folder are read only to check that their tables are whole."""
        for name in ("tree.parquet", "themes.parquet"):
            read_table(run / name)
        return clustering

    return step.result(read, lambda: clustering, write)
