"""Silhouettes of every image, in blocks of matrix products.

Rousseeuw (1987): with a the mean distance of an image to the others of its
cluster and b the smallest mean distance to another cluster, the silhouette is
(b - a) / max(a, b); it is 0 for an image alone in its cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .vectors import Vectors, row_blocks, square_distances, sum_rows

_BLOCK = 1024
#: Below this share of the squared norm, float32 leaves too few digits of a squared distance.
_NEAR = 1e-2

#: Squared distance, as a share of the squared norms, that rounding in float64 leaves of none.
_SAME = 1e-13


def silhouettes(
    vectors: Vectors, labels: NDArray[Any], measure: str = "exact"
) -> NDArray[np.float64]:
    """Silhouette of every row.

    Parameters
    ----------
    vectors : Vectors of n rows
    labels : ndarray of shape (n,)
        Cluster of each row.
    measure : {"exact", "squared"}
        See :data:`MEASURES`.

    Returns
    -------
    ndarray of shape (n,)
        Between -1 and 1; all 0 when there is one cluster only.
    """
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return np.zeros(len(codes))
    return _from_sums(MEASURES[measure](vectors, codes, sizes), codes, sizes)


def _from_sums(
    sums: NDArray[np.float64], codes: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Silhouettes from the sum of distances of each row to each cluster, shape (n, k)."""
    rows = np.arange(len(codes))
    others = sizes[codes] - 1
    own = sums[rows, codes] / np.maximum(others, 1)
    means = sums / sizes
    means[rows, codes] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    defined = (others > 0) & (larger > 0)
    return np.where(defined, (other - own) / np.where(defined, larger, 1.0), 0.0)


def _sums_of_distances(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sum of Euclidean distances of each row to each cluster, up to a common factor.

    Rows are sorted by cluster, so that a block of the distance matrix meets few
    clusters; only blocks on and above the diagonal are computed, each used for
    its rows and its columns.
    """
    order = np.argsort(codes, kind="stable")
    vectors, codes = vectors.take(order), codes[order]
    sums = np.zeros((len(codes), len(sizes)))
    blocks = row_blocks(len(codes), _BLOCK)
    for i, above in enumerate(blocks):
        for beside in blocks[i:]:
            distances = _distances(vectors, above, beside)
            _add_by_cluster(sums, distances, above, codes[beside])
            if beside != above:
                _add_by_cluster(sums, distances.T, beside, codes[above])
    unsorted = np.empty_like(sums)
    unsorted[order] = sums
    return unsorted


def _distances(vectors: Vectors, above: slice, beside: slice) -> NDArray[Any]:
    """Distances between two blocks of rows, divided by the square root of 2.

    The factor, which silhouettes do not feel, spares a pass over the block.
    """
    half_norms = vectors.square_norms / 2
    rows, columns = vectors.matrix[above], vectors.matrix[beside]
    halves = rows @ columns.T
    np.subtract(half_norms[above, None], halves, out=halves)
    halves += half_norms[beside]
    if above == beside:
        np.fill_diagonal(halves, np.inf)
    if not vectors.exact:
        _mend_near(halves, rows, columns, half_norms[above])
    if above == beside:
        np.fill_diagonal(halves, 0)
    np.sqrt(halves, out=halves)
    return vectors.snap(halves, np.sqrt(vectors.largest_square))


def _mend_near(
    halves: NDArray[Any],
    rows: NDArray[Any],
    columns: NDArray[Any],
    half_norms: NDArray[Any],
) -> None:
    """Compute again, in float64, what cancellation spoilt: pairs far nearer than their norms."""
    near = halves < _NEAR * half_norms[:, None]
    if near.any():
        i, j = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        a, b = rows[i].astype(np.float64), columns[j].astype(np.float64)
        norms = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)
        squares = norms - 2 * (a @ b.T)
        # Nearer than float32 can tell apart: the same vector.
        halves[np.ix_(i, j)] = np.where(squares > _SAME * norms, squares / 2, 0)


def _add_by_cluster(
    sums: NDArray[np.float64],
    distances: NDArray[Any],
    rows: slice,
    codes: NDArray[np.intp],
) -> None:
    """Add the distances of a block's columns, which belong to the sorted ``codes``, by cluster."""
    clusters = np.arange(codes[0], codes[-1] + 1)
    member = (codes[:, None] == clusters).astype(distances.dtype)
    sums[rows, clusters[0] : clusters[-1] + 1] += distances @ member


def _sums_of_square_distances(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sum of squared distances of each row to each cluster, from means and variances alone.

    The sum over a cluster of |x - y|^2 is size * |x - mean|^2 plus the cluster's
    own sum of squares about its mean, which makes the cost linear in n.
    """
    totals = np.zeros((len(sizes), vectors.matrix.shape[1]))
    for block in row_blocks(len(codes)):
        totals += sum_rows(vectors.matrix[block], codes[block], len(sizes))
    means = vectors.round_centers(totals / sizes[:, None])
    squares = square_distances(vectors, means).T.astype(np.float64)
    within = np.bincount(codes, squares[np.arange(len(codes)), codes])
    return squares * sizes + within


#: Distance between images -> function that sums it by cluster. "squared" is the
#: silhouette of squared Euclidean distance: linear in n, for very large corpora.
MEASURES = {"exact": _sums_of_distances, "squared": _sums_of_square_distances}
