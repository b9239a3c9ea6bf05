"""A tree over groups of similar images: where clusters could be split, and which merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..embeddings.reduce import principal_components
from ..rows import all_rows_equal

Array: TypeAlias = NDArray[Any]

#: Principal components in which images are compared.
_COMPONENTS = 128
#: Weight of a sphere in the covariance within clusters (Ledoit and Wolf 2004, with a fixed weight).
_SHRINKAGE = 0.5
#: Images of a cluster above which k-means forms the groups that the tree joins, and their number.
_MOST_LINKED = 2000
_N_BLOCKS = 1000


@dataclass(frozen=True, eq=False)
class JoinTree:
    """A binary tree over groups of images.

    Its leaves are groups of similar images, the super-instances of van Craenendonck et al. (2018);
    a node joins two nodes with smaller numbers. Nodes up to :attr:`roots` are inside a cluster, and
    those above join whole clusters.

    Attributes
    ----------
    group : ndarray of shape (n_images,)
        Leaf of each image; -1 for the residual.
    children : ndarray of shape (n_nodes, 2)
        Nodes that each node joins; -1 for leaves.
    height : ndarray of shape (n_nodes,)
        Mean distance between the images on both sides; for leaves, between their images. The unit
        is the median height of the roots of clusters.
    size : ndarray of shape (n_nodes,)
        Number of images.
    cluster : ndarray of shape (n_nodes,)
        Number of the cluster in which a node is, and 0 above.
    roots : dict of int to int
        Node of each cluster, by its number.
    space : ndarray of shape (n_images, n_components)
        Vectors in which images are compared.
    """

    group: Array
    children: Array
    height: Array
    size: Array
    cluster: Array
    roots: dict[int, int]
    space: Array

    @property
    def is_leaf(self) -> Array:
        """Whether each node is a group."""
        leaf: Array = self.children[:, 0] < 0
        return leaf

    @property
    def sides(self) -> Array:
        """Numbers of images of both sides of each node, of shape (n_nodes, 2); 0 for leaves."""
        return np.where(self.is_leaf[:, None], 0, self.size[self.children])

    @property
    def parent(self) -> Array:
        """The node that joins each node with another; -1 for the top."""
        parent = np.full(len(self.size), -1)
        for node in np.flatnonzero(~self.is_leaf):
            parent[self.children[node]] = node
        return parent

    def nodes_of(self, one: Array, other: Array) -> Array:
        """For each pair of images the node that joins their groups: a leaf if it is the same one.

        -1 if an image is in the residual.
        """
        parent = self.parent
        found = np.full(len(one), -1)
        for place, (a, b) in enumerate(zip(self.group[one], self.group[other], strict=True)):
            if a < 0 or b < 0:
                continue
            # Parents have larger numbers than children.
            while a != b:
                if a < b:
                    a = parent[a]
                else:
                    b = parent[b]
            found[place] = a
        return found

    def parts(self, joined: Array) -> Array:
        """The part of each image, if the nodes ``joined`` hold; -1 for the residual.

        A part is the highest node that holds, by its number.
        """
        part = np.arange(len(self.size))
        for node in np.flatnonzero(~self.is_leaf)[::-1]:
            if joined[node] or part[node] != node:
                part[self.children[node]] = part[node]
        return np.where(self.group < 0, -1, part[self.group])

    def images_under(self, node: int) -> Array:
        """Rows of the images of a node."""
        under = np.zeros(len(self.size), dtype=bool)
        under[node] = True
        for one in range(node, -1, -1):
            if under[one] and self.children[one, 0] >= 0:
                under[self.children[one]] = True
        rows: Array = np.flatnonzero((self.group >= 0) & under[self.group])
        return rows


def join_tree(rows: Array, clusters: Array, smallest: int, seed: int) -> JoinTree:
    """The tree of a clustering.

    Groups are found in each cluster by average linkage: of its tree, joins with fewer than
    ``smallest`` images on a side are dissolved, and their images go to the nearest group.

    Parameters
    ----------
    rows : ndarray of shape (n_images, d)
        Vectors of length one.
    clusters : ndarray of shape (n_images,)
        -1 for the residual.
    smallest : int
        Smallest number of images of a group.
    seed : int
    """
    space = compared_space(rows, clusters, seed)
    build = _Building(len(clusters))
    roots = {
        int(number): build.add_cluster(space, np.flatnonzero(clusters == number), smallest, number)
        for number in np.unique(clusters[clusters >= 0])
    }
    typical = float(np.median([build.height[root] for root in roots.values()] or [1.0])) or 1.0
    build.join_clusters(space, clusters, roots)
    return JoinTree(
        build.group,
        np.array(build.children).reshape(-1, 2),
        np.array(build.height) / typical,
        np.array(build.size),
        np.array(build.cluster),
        roots,
        space,
    )


def compared_space(rows: Array, clusters: Array, seed: int) -> Array:
    """Principal components, scaled so that images of one cluster vary alike in all directions.

    Directions in which images of all clusters vary, such as pose and light, count less, and those
    that tell clusters apart count more (relevant component analysis, Bar-Hillel et al. 2005, with
    clusters as its groups).
    """
    if all_rows_equal(rows):
        return np.zeros((len(rows), 1))
    n_components = min(_COMPONENTS, *rows.shape)
    scores = principal_components(rows, n_components, seed)[0].astype(np.float64)
    centred = np.zeros_like(scores)
    for number in np.unique(clusters[clusters >= 0]):
        inside = clusters == number
        centred[inside] = scores[inside] - scores[inside].mean(axis=0)
    covariance = centred.T @ centred / max(int((clusters >= 0).sum()), 1)
    sphere = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh((1 - _SHRINKAGE) * covariance + _SHRINKAGE * sphere)
    scale = np.sqrt(np.maximum(values, 1e-12 * max(float(values.max()), 1e-12)))
    space: Array = scores @ vectors / scale
    return space


class _Building:
    """The nodes of a tree while it grows."""

    def __init__(self, n_images: int) -> None:
        self.group = np.full(n_images, -1)
        self.children: list[tuple[int, int]] = []
        self.height: list[float] = []
        self.size: list[int] = []
        self.cluster: list[int] = []

    def _add(self, children: tuple[int, int], height: float, cluster: int) -> int:
        a, b = children
        self.children.append(children)
        self.height.append(height)
        self.size.append(0 if a < 0 else self.size[a] + self.size[b])
        self.cluster.append(cluster)
        return len(self.size) - 1

    def add_cluster(self, space: Array, members: Array, smallest: int, number: int) -> int:
        """Add the nodes of a cluster, and return its root."""
        from scipy.cluster.hierarchy import linkage

        block = _blocks_of(space[members])
        n_blocks = int(block.max()) + 1
        images = [members[block == one] for one in range(n_blocks)]
        heights = [0.0] * n_blocks
        children: list[tuple[int, int]] = [(-1, -1)] * n_blocks
        if n_blocks > 1:
            centres = np.stack([space[rows].mean(axis=0) for rows in images])
            for left, right, height, _ in linkage(centres, "average"):
                a, b = int(left), int(right)
                images.append(np.concatenate([images[a], images[b]]))
                heights.append(float(height))
                children.append((a, b))
        kept: list[int | None] = [None] * n_blocks
        first = len(self.size)

        def node_of(place: int) -> int:
            """The node of a kept join, or a new leaf of all images under a dissolved one."""
            known = kept[place]
            if known is not None:
                return known
            self.group[images[place]] = len(self.size)
            return self._add((-1, -1), heights[place], number)

        for place in range(n_blocks, len(images)):
            sides = sorted(children[place], key=lambda side: len(images[side]))
            if len(images[sides[0]]) < smallest:
                kept.append(kept[sides[1]])
                continue
            a, b = (node_of(side) for side in children[place])
            kept.append(self._add((a, b), heights[place], number))
        root = node_of(len(images) - 1)
        self._place_rest(space, members, first)
        return root

    def _place_rest(self, space: Array, members: Array, first: int) -> None:
        """Place images of dissolved joins in the nearest group of their cluster, and count all."""
        own = self.group[members]
        groups = np.unique(own[own >= 0])
        centres = np.stack([space[members[own == group]].mean(axis=0) for group in groups])
        rest = members[own < 0]
        distance = ((space[rest][:, None] - centres) ** 2).sum(axis=-1)
        self.group[rest] = groups[distance.argmin(axis=1)]
        numbers = np.bincount(self.group[members] - first)
        for node in range(first, len(self.size)):
            a, b = self.children[node]
            self.size[node] = int(numbers[node - first]) if a < 0 else self.size[a] + self.size[b]

    def join_clusters(self, space: Array, clusters: Array, roots: dict[int, int]) -> None:
        """Add the nodes that join clusters, by the mean distance between their images."""
        from scipy.cluster.hierarchy import linkage
        from scipy.spatial.distance import squareform

        if len(roots) < 2:
            return
        images = [space[clusters == number] for number in roots]
        centres = np.stack([rows.mean(axis=0) for rows in images])
        spread = np.array([rows.var(axis=0).sum() for rows in images])
        square = ((centres[:, None] - centres) ** 2).sum(axis=-1) + spread[:, None] + spread
        np.fill_diagonal(square, 0)
        nodes = [*roots.values()]
        joins = linkage(squareform(np.sqrt(square), checks=False), "average")
        for left, right, height, _ in joins:
            a, b = nodes[int(left)], nodes[int(right)]
            nodes.append(self._add((a, b), float(height), 0))


def _blocks_of(rows: Array) -> Array:
    """The unit of each image that is linked: itself, or in a large cluster one of k-means."""
    if len(rows) <= _MOST_LINKED:
        return np.arange(len(rows))
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(_N_BLOCKS, n_init=1, random_state=0).fit_predict(rows)
    return np.unique(found, return_inverse=True)[1]
