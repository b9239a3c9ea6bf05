"""Silhouettes of every image, in blocks of matrix products.

Rousseeuw (1987): with a the mean distance of an image to the others of its
cluster and b the smallest mean distance to another cluster, the silhouette is
(b - a) / max(a, b); it is 0 for an image alone in its cluster.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rows import blocks, map_in_order
from .vectors import Vectors, square_distances, sum_rows

#: Largest number of images for which "auto" is "exact": about ten seconds of work.
MOST_EXACT = 50_000

#: Number of images of each cluster with which "sampled" compares every image.
SAMPLED = 128

_BLOCK = 512
#: Below this share of the squared norm, a squared distance in float32 is imprecise.
_NEAR = 1e-2

#: Smallest relative variance of squared distances that float32 can represent.
_SPREAD = 1e-5

#: Standard errors of a mean squared distance by which a sample is corrected at most.
_STANDARD_ERRORS = 4

#: Relative squared distance that rounding in float64 can leave between equal vectors.
_SAME = 1e-13


def pick_measure(measure: str, n: int) -> str:
    """The measure that ``"auto"`` selects for n images; any other is returned unchanged."""
    if measure != "auto":
        return measure
    return "exact" if n <= MOST_EXACT else "sampled"


def silhouettes(
    vectors: Vectors,
    labels: NDArray[Any],
    measure: str = "exact",
    rng: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Silhouette of every row.

    Parameters
    ----------
    vectors : Vectors of n rows
    labels : ndarray of shape (n,)
        Cluster of each row.
    measure : {"exact", "sampled", "squared"}
        See :data:`MEASURES`.
    rng : Generator, optional
        Generator for "sampled"; by default one with a fixed seed.

    Returns
    -------
    ndarray of shape (n,)
        Between -1 and 1; all 0 if there is only one cluster.
    """
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return np.zeros(len(codes))
    return MEASURES[measure](vectors, codes, sizes, rng or np.random.default_rng(0))


def _from_means(
    means: NDArray[np.float64], codes: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Silhouettes from the mean distance of each row to the others of each cluster.

    Parameters
    ----------
    means : ndarray of shape (n, k)
        Overwritten.
    codes : ndarray of shape (n,)
        Cluster of each row.
    sizes : ndarray of shape (k,)
        Rows of each cluster.
    """
    rows = np.arange(len(codes))
    own = means[rows, codes]
    means[rows, codes] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    defined = (sizes[codes] > 1) & (larger > 0)
    return np.where(defined, (other - own) / np.where(defined, larger, 1.0), 0.0)


def _n_others(
    codes: NDArray[np.intp], counts: NDArray[np.intp], itself: NDArray[Any] | int = 1
) -> NDArray[np.float64]:
    """Number of rows of each cluster with which each row is compared, shape (n, k), at least 1.

    ``itself`` says whether a row is among the ``counts`` of its own cluster (1) or not (0).
    """
    others = np.tile(counts.astype(np.float64), (len(codes), 1))
    others[np.arange(len(codes)), codes] -= itself
    return np.maximum(others, 1, out=others)


def _exact(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp], _: np.random.Generator
) -> NDArray[np.float64]:
    """Silhouettes from the distances between all rows.

    Rows are sorted by cluster, so that a block of the distance matrix contains few
    clusters. Only blocks on and above the diagonal are computed; each is used for
    its rows and its columns.
    """
    order = np.argsort(codes, kind="stable")
    vectors, sorted_codes = vectors.take(order), codes[order]
    starts = range(0, len(codes), _BLOCK)
    strips = map_in_order(vectors.engine, partial(_strip, vectors, sorted_codes), starts)
    sums = np.zeros((len(codes), len(sizes)))
    for start, strip in zip(starts, strips, strict=True):
        sums[order[start:]] += strip
    return _from_means(sums / _n_others(codes, sizes), codes, sizes)


def _strip(vectors: Vectors, codes: NDArray[np.intp], start: int) -> NDArray[np.float64]:
    """Sums of distances between the rows of one block and these and all later rows."""
    sums = np.zeros((len(codes) - start, codes[-1] + 1))
    from_here = [slice(b.start + start, b.stop + start) for b in blocks(len(sums), _BLOCK)]
    above = from_here[0]
    for beside in from_here:
        distances = _distances(vectors, above, vectors, beside)
        _add_by_cluster(sums[: len(distances)], distances, codes[beside])
        if beside != above:
            below = sums[beside.start - start : beside.stop - start]
            _add_by_cluster(below, distances.T, codes[above])
    return sums


def _sampled(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Silhouettes from the distances to :data:`SAMPLED` random rows of each cluster.

    A smaller cluster is used whole, and its mean distances are exact. The mean distance to
    a larger cluster is a regression estimate: the sample mean, corrected by the error of
    the sample in the mean *squared* distance, which is known exactly. (With whole numbers,
    where sums must not depend on their order, there is no correction.)
    """
    order = np.argsort(rng.random(len(codes)))
    order = order[np.argsort(codes[order], kind="stable")]
    place = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = order[place < SAMPLED]
    drawn = drawn[np.lexsort((drawn, codes[drawn]))]
    is_drawn = np.zeros(len(codes), dtype=bool)
    is_drawn[drawn] = True
    means, within = _means_and_squares(vectors, codes, sizes)
    parts = vectors.map_shards(
        _sampled_shard,
        codes,
        is_drawn,
        sample=vectors.select(drawn),
        sample_codes=codes[drawn],
        means=means,
        within=within,
        sizes=sizes,
    )
    return np.concatenate(list(parts))


def _sampled_shard(
    shard: Vectors,
    codes: NDArray[np.intp],
    is_drawn: NDArray[np.bool_],
    *,
    sample: Vectors,
    sample_codes: NDArray[np.intp],
    means: NDArray[Any],
    within: NDArray[np.float64],
    sizes: NDArray[np.intp],
) -> NDArray[np.float64]:
    sample = sample.read()
    counts = np.bincount(sample_codes)
    scores = np.empty(len(shard))
    # Sorted by cluster, rows that are near each other lie together (see _mend_near).
    order = np.argsort(codes, kind="stable")
    for block in blocks(len(shard), _BLOCK):
        above = order[block]
        rows, own = shard.read(above), codes[above]
        # Sums of the distances, and of their second, third and fourth powers.
        sums = np.zeros((1 if shard.exact else 4, len(rows), len(sizes)))
        for beside in blocks(len(sample), _BLOCK):
            distances = _distances(rows, slice(None), sample, beside)
            power = distances
            for moment in sums:
                _add_by_cluster(moment, power, sample_codes[beside])
                power = power * distances
        moments = sums / _n_others(own, counts, is_drawn[above])
        if not shard.exact:
            squares = _to_means(rows, means, slice(None)).T * sizes + within
            # Distances here are divided by the square root of 2.
            _correct(moments, squares / _n_others(own, sizes) / 2, counts)
        scores[above] = _from_means(moments[0], own, sizes)
    return scores


def _correct(
    moments: NDArray[np.float64], squares: NDArray[np.float64], counts: NDArray[np.intp]
) -> None:
    """Correct mean distances, in place, by the known mean squared distances.

    The regression of distances on squared distances has the slope cov(d, d^2) / var(d^2).
    If distances hardly differ, the slope of the parabola, 1 / 2d, is used. A mean of squares
    beyond sampling error is that of far rows, none of which are in the sample: about them the
    regression says nothing.
    """
    d, d2, d3, d4 = moments
    variance = d4 - d2**2
    steep = variance > _SPREAD * d2**2
    slope = np.where(
        steep,
        (d3 - d * d2) / np.where(steep, variance, 1.0),
        0.5 / np.where(d > 0, d, np.inf),
    )
    most = _STANDARD_ERRORS * np.sqrt(np.maximum(variance, _SPREAD * d2**2) / counts)
    d += slope * np.clip(squares - d2, -most, most)
    np.maximum(d, 0, out=d)


def _distances(a: Vectors, above: slice, b: Vectors, beside: slice) -> NDArray[Any]:
    """Distances between blocks of rows of a and b, divided by the square root of 2.

    The factor saves a pass over the block and has no effect on silhouettes.
    """
    rows, columns = a.rows[above], b.rows[beside]
    row_norms, column_norms = a.square_norms[above] / 2, b.square_norms[beside] / 2
    same = a is b and above == beside
    halves = rows @ columns.T
    np.subtract(row_norms[:, None], halves, out=halves)
    halves += column_norms
    if same:
        np.fill_diagonal(halves, np.inf)
    if not a.exact:
        _mend_near(halves, rows, columns, row_norms)
    if same:
        np.fill_diagonal(halves, 0)
    np.sqrt(halves, out=halves)
    return a.snap(halves, np.sqrt(a.largest_square))


def _mend_near(
    halves: NDArray[Any],
    rows: NDArray[Any],
    columns: NDArray[Any],
    half_norms: NDArray[Any],
) -> None:
    """Compute imprecise distances again in float64: those much smaller than the norms."""
    near = halves < _NEAR * half_norms[:, None]
    if near.any():
        # Sorted by cluster, near rows and columns lie together: slices need no copies.
        i, j = _extent(near.any(axis=1)), _extent(near.any(axis=0))
        a, b = rows[i].astype(np.float64), columns[j].astype(np.float64)
        half_a, half_b = (np.einsum("ij,ij->i", each, each) / 2 for each in (a, b))
        mended = a @ b.T
        np.subtract(half_a[:, None], mended, out=mended)
        mended += half_b
        # Too close for float32 to distinguish: the same vector.
        mended[mended <= 2 * _SAME * half_a[:, None]] = 0
        halves[i, j] = mended


def _extent(mask: Any) -> slice:
    """From the first to the last true value."""
    true = np.flatnonzero(mask)
    return slice(true[0], true[-1] + 1)


def _add_by_cluster(
    sums: NDArray[np.float64], distances: NDArray[Any], codes: NDArray[np.intp]
) -> None:
    """Add the distances of a block's columns, which belong to the sorted ``codes``, by cluster."""
    clusters = np.arange(codes[0], codes[-1] + 1)
    member = (codes[:, None] == clusters).astype(distances.dtype)
    sums[:, clusters[0] : clusters[-1] + 1] += distances @ member


def _squared(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp], _: np.random.Generator
) -> NDArray[np.float64]:
    """Silhouettes of squared distances, computed from means and variances.

    The sum over a cluster of |x - y|^2 is size * |x - mean|^2 plus the cluster's
    own sum of squares about its mean, which makes the cost linear in n.
    """
    means, within = _means_and_squares(vectors, codes, sizes)
    parts = vectors.map_shards(_squared_shard, codes, means=means, within=within, sizes=sizes)
    return np.concatenate(list(parts))


def _means_and_squares(
    vectors: Vectors, codes: NDArray[np.intp], sizes: NDArray[np.intp]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Mean of each cluster, shape (k, d), and its sum of squares about it, shape (k,)."""
    totals = sum(vectors.map_shards(_cluster_sums, codes, k=len(sizes)))
    means = vectors.round_centers(totals / sizes[:, None])
    within = sum(vectors.map_shards(_within, codes, means=means))
    return means, np.asarray(within)


def _cluster_sums(shard: Vectors, codes: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    sums = np.zeros((k, shard.rows.shape[1]))
    for block in blocks(len(shard)):
        sums += sum_rows(shard.rows[block], codes[block], k)
    return sums


def _within(shard: Vectors, codes: NDArray[np.intp], means: NDArray[Any]) -> NDArray[np.float64]:
    """Sum of squared distances of the rows of each cluster to its mean, shape (k,)."""
    sums = np.zeros(len(means))
    for block in blocks(len(shard)):
        squares = _to_means(shard, means, block)[codes[block], np.arange(len(codes[block]))]
        sums += np.bincount(codes[block], squares, minlength=len(means))
    return sums


def _to_means(shard: Vectors, means: NDArray[Any], block: slice) -> NDArray[Any]:
    """Squared distances from the means to the rows of a block, shape (k, n)."""
    squares = square_distances(shard, means, block)
    norms = shard.square_norms[block]
    if not shard.exact and (squares < _NEAR * norms).any():
        halves = squares.T / 2
        _mend_near(halves, shard.rows[block], means, norms / 2)
        squares = 2 * halves.T
    return squares


def _squared_shard(
    shard: Vectors,
    codes: NDArray[np.intp],
    means: NDArray[Any],
    within: NDArray[np.float64],
    sizes: NDArray[np.intp],
) -> NDArray[np.float64]:
    scores = np.empty(len(shard))
    for block in blocks(len(shard)):
        squares = _to_means(shard, means, block).T.astype(np.float64)
        own = codes[block]
        sums = squares * sizes + within
        scores[block] = _from_means(sums / _n_others(own, sizes), own, sizes)
    return scores


#: Functions by measure. "exact" compares every row with every other by Euclidean distance,
#: "sampled" with some rows of each cluster, "squared" with every row by squared distance.
#: The latter two take time linear in n and suit large corpora.
MEASURES = {"exact": _exact, "sampled": _sampled, "squared": _squared}
