"""Strata of pairs of images: within clusters, and between clusters by nearness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..errors import ImagestrataError
from ..wording import arg

Array: TypeAlias = np.ndarray[Any, Any]

#: Shares of the pairs between clusters, nearest first, at which one stratum ends. Each stratum is
#: three times as large as all nearer ones together.
NEARNESS = (1 / 64, 1 / 16, 1 / 4, 1)
#: A stratum within clusters receives at least this many pairs, so that it has a variance.
_FEWEST_PAIRS = 2
#: Share of the pairs between clusters that the farthest of their strata is due.
_DUE_FAR = 0.5
#: Largest number of strata of pairs that at least one of several clusterings puts together.
_MOST_STRATA = 4
#: Largest number of pairs that are counted at once.
_PAIRS_AT_ONCE = 5_000_000
#: A pair of a block is drawn until it belongs, at most so many times; then the pairs of the block
#: are listed, unless there are more of them than the second number.
_TRIES, _LISTED = 50, 20_000_000


@dataclass(frozen=True, eq=False)
class Blocks:
    """A stratum that consists of blocks, each with pairs of images of two cells or of one.

    Attributes
    ----------
    cells : sequence of ndarray
        The rows of the images of each cell.
    first, second : ndarray of shape (n_blocks,)
        The two cells of each block, ``first`` not greater than ``second``.
    numbers : ndarray of shape (n_blocks,)
        Number of pairs of each block.
    belongs : callable
        From rows of first and of second images to whether these pairs belong to the stratum.
    due : float
        Share of the pairs that the stratum is due, relative to others.
    """

    cells: Sequence[Array]
    first: Array
    second: Array
    numbers: Array
    belongs: Callable[[Array, Array], Array]
    due: float = 1.0

    @property
    def size(self) -> int:
        """Number of all pairs."""
        return int(self.numbers.sum())

    def draw(self, n: int, rng: np.random.Generator, taken: Array | None = None) -> pd.DataFrame:
        """A simple random sample without replacement: rows ``a`` and ``b`` of the images.

        Parameters
        ----------
        n, rng
            Number of pairs and generator of random numbers.
        taken : ndarray of shape (n_taken, 2), optional
            Pairs of this stratum, as rows of their images, that are not drawn again.
        """
        taken = np.empty((0, 2), dtype=np.int64) if taken is None else np.sort(taken, axis=1)
        block_of_taken = self._blocks_of(taken) if len(taken) else np.empty(0, dtype=np.int64)
        left = self.numbers - np.bincount(block_of_taken, minlength=len(self.numbers))
        # Pairs are numbered block by block, so that numbers say how many each block gives.
        chosen = rng.choice(int(left.sum()), n, replace=False)
        block = np.searchsorted(np.cumsum(left), chosen, side="right")
        seen = {tuple(pair) for pair in taken.tolist()}
        found = np.zeros((n, 2), dtype=np.int64)
        missing = np.arange(n)
        tries = 0
        # Random pairs of a block, until one belongs and is new. If few do, all are listed.
        while len(missing) and (tries < _TRIES or self._n_pairs(block[missing]).max() > _LISTED):
            pairs = np.sort(self._random_pairs(block[missing], rng), axis=1)
            valid = self.belongs(*pairs.T) & (pairs[:, 0] != pairs[:, 1])
            for place in np.flatnonzero(valid).tolist():
                pair = tuple(pairs[place].tolist())
                valid[place] = pair not in seen
                seen.add(pair)
            found[missing[valid]] = pairs[valid]
            missing = missing[~valid]
            tries += 1
        for one in np.unique(block[missing]):
            places = missing[block[missing] == one]
            pairs = self._all_pairs(one)
            pairs = pairs[[tuple(pair) not in seen for pair in pairs.tolist()]]
            found[places] = pairs[rng.choice(len(pairs), len(places), replace=False)]
        return pd.DataFrame(found, columns=["a", "b"])

    @cached_property
    def _lengths(self) -> Array:
        return np.array([len(rows) for rows in self.cells], dtype=np.int64)

    @cached_property
    def _flat(self) -> tuple[Array, Array]:
        """Rows of images by cell, and where each cell begins."""
        return np.concatenate([*self.cells]), np.cumsum(self._lengths) - self._lengths

    def _n_pairs(self, blocks: Array) -> Array:
        """Numbers of pairs of blocks, whether they belong or not."""
        pairs: Array = self._lengths[self.first[blocks]] * self._lengths[self.second[blocks]]
        return pairs

    def _random_pairs(self, blocks: Array, rng: np.random.Generator) -> Array:
        """A random pair of each block, as rows of images of shape (n_blocks, 2)."""
        rows, begins = self._flat
        sides = []
        for cell in (self.first[blocks], self.second[blocks]):
            sides.append(rows[begins[cell] + rng.integers(0, self._lengths[cell])])
        return np.stack(sides, axis=1)

    def _all_pairs(self, block: int) -> Array:
        """The pairs of a block that belong, as rows of images of shape (n_pairs, 2)."""
        one, other = self.cells[self.first[block]], self.cells[self.second[block]]
        pairs = np.stack(np.meshgrid(one, other, indexing="ij"), axis=-1).reshape(-1, 2)
        if self.first[block] == self.second[block]:
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        listed: Array = np.sort(pairs[self.belongs(*pairs.T)], axis=1)
        return listed

    @cached_property
    def _cell_of(self) -> Array:
        cell = np.zeros(1 + max(int(rows.max(initial=0)) for rows in self.cells), dtype=np.int64)
        for number, rows in enumerate(self.cells):
            cell[rows] = number
        return cell

    def _blocks_of(self, pairs: Array) -> Array:
        """The block of each pair."""
        cells = np.sort(self._cell_of[pairs], axis=1)
        key = self.first * len(self.cells) + self.second
        order = np.argsort(key)
        place = np.searchsorted(key[order], cells[:, 0] * len(self.cells) + cells[:, 1])
        blocks: Array = order[place]
        return blocks


@dataclass(frozen=True, eq=False)
class Rows:
    """A stratum of pairs that are numbered image by image.

    Attributes
    ----------
    counts : ndarray of shape (n_images,)
        Number of pairs of each image with later ones.
    partner : callable
        From rows of first images and numbers of partners to rows of both images.
    due : float
        Share of the pairs that the stratum is due, relative to others.
    """

    counts: Array
    partner: Callable[[Array, Array], pd.DataFrame]
    due: float = 1.0

    @property
    def size(self) -> int:
        """Number of all pairs."""
        return int(self.counts.sum())

    def draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """A simple random sample without replacement: rows ``a`` and ``b`` of the images."""
        chosen = rng.choice(self.size, n, replace=False)
        until = np.cumsum(self.counts)
        one = np.searchsorted(until, chosen, side="right")
        return self.partner(one, chosen - (until[one] - self.counts[one]))


@dataclass(frozen=True, eq=False)
class Cells:
    """Small groups of similar images.

    Attributes
    ----------
    labels : ndarray of shape (n_images,)
        The cell of each image, from 0.
    centres : ndarray of shape (n_cells, d)
        Centre of each cell.
    """

    labels: Array
    centres: Array


def pair_strata(
    clusterings: Array | Sequence[Array], n_within: int, within: str, cells: Cells | None
) -> dict[str, Blocks | Rows]:
    """The strata of all pairs of images, see :func:`sample_pairs`."""
    several = [np.where(labels < 0, -1, labels) for labels in np.atleast_2d(clusterings)]
    different = list({_apart(one).tobytes(): one for one in several}.values())
    if len(different) > 1:
        if within != "per_pair":
            raise ImagestrataError(
                f"{arg('within', within)} divides the pairs among the clusters of one clustering; "
                f"there are {len(different)} different ones.",
                f"Give one clustering, or leave out {arg('within')}.",
            )
        return _by_number_together(different, cells)
    labels = different[0]
    inside = within_clusters(labels, within, n_within)
    outside = between_clusters("between", different, _numbers_apart(labels, cells), cells)
    return {**inside, **outside}


def is_apart(stratum: str) -> bool:
    """Whether a stratum is of pairs that no clustering puts together."""
    return stratum.startswith(("between", "0 of "))


def _apart(labels: Array) -> Array:
    """Codes of the clusters, in which each image of the residual has a code of its own."""
    alone = labels < 0
    apart = np.where(alone, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    return pd.factorize(apart)[0]


def within_clusters(labels: Array, within: str, n: int) -> dict[str, Blocks]:
    """Strata of the pairs within clusters.

    Clusters are strata, the largest first. Where a cluster is due fewer than two pairs, clusters
    of similar size share a stratum.

    Parameters
    ----------
    labels : ndarray of shape (n_images,)
        The cluster of each image; negative for an image that is apart from all others.
    within : {"per_pair", "per_image", "per_cluster"}
        See :func:`sample_pairs`.
    n : int
        Number of pairs within clusters.
    """
    cells, sizes = _clusters_by_size(labels)
    everything = np.arange(len(cells))
    if within == "per_pair":
        return {"within": _of_clusters(labels, cells, everything)}
    due = sizes.astype(float) if within == "per_image" else np.ones(len(cells))
    due /= max(due.sum(), 1)
    strata: list[list[int]] = []
    open_for_more = False
    for cluster in everything.tolist():
        if open_for_more:
            strata[-1].append(cluster)
        else:
            strata.append([cluster])
        open_for_more = n * due[strata[-1]].sum() < _FEWEST_PAIRS - 1e-9
    if open_for_more and len(strata) > 1:
        strata[-2:] = [strata[-2] + strata[-1]]
    named = {}
    for clusters in strata:
        last = f"-{clusters[-1] + 1}" if len(clusters) > 1 else ""
        stratum = _of_clusters(labels, cells, np.array(clusters), float(due[clusters].sum()))
        named[f"within {clusters[0] + 1}{last}"] = stratum
    return named


def within_named(labels: Array, names: Sequence[str]) -> dict[str, Blocks]:
    """Strata of the pairs within clusters, from the names of :func:`within_clusters`."""
    cells, _ = _clusters_by_size(labels)
    strata = {}
    for name in names or ["within"]:
        first, _, last = name.removeprefix("within").strip().partition("-")
        places = np.arange(len(cells))
        if first.isdigit():
            places = places[int(first) - 1 : int(last or first)]
        strata[name] = _of_clusters(labels, cells, places, float(len(places)))
    return strata


def _clusters_by_size(labels: Array) -> tuple[list[Array], Array]:
    """Rows of the images of each cluster of two or more, largest first, and their numbers."""
    codes, sizes = np.unique(labels[labels >= 0], return_counts=True)
    codes, sizes = codes[sizes > 1], sizes[sizes > 1]
    by_size = np.lexsort((codes, -sizes))
    return [np.flatnonzero(labels == code) for code in codes[by_size]], sizes[by_size]


def _of_clusters(labels: Array, cells: Sequence[Array], places: Array, due: float = 1.0) -> Blocks:
    """The stratum of the pairs within some clusters."""

    def together(a: Array, b: Array) -> Array:
        same: Array = labels[a] == labels[b]
        return same

    sizes = np.array([len(cells[place]) for place in places], dtype=np.int64)
    return Blocks(cells, places, places, sizes * (sizes - 1) // 2, together, due)


def between_clusters(
    name: str, clusterings: Sequence[Array], numbers: Array, cells: Cells | None
) -> dict[str, Blocks]:
    """Strata of the pairs that no clustering puts together, by nearness of their cells.

    Parameters
    ----------
    name : str
        Name of the stratum if there are no cells, else the beginning of their names.
    clusterings : sequence of ndarray of shape (n_images,)
        The cluster of each image; negative for an image that is apart from all others.
    numbers : ndarray of shape (n_cells, n_cells)
        Numbers of these pairs, by cells of their images.
    cells : Cells, optional
        By default all images are in one cell, and all pairs in one stratum.
    """

    def apart(a: Array, b: Array) -> Array:
        different = np.ones(len(a), dtype=bool)
        for labels in clusterings:
            different &= (labels[a] != labels[b]) | (labels[a] < 0)
        return different

    first, second = np.triu_indices(len(numbers))
    numbers = numbers[first, second]
    if cells is None:
        members = [np.arange(len(clusterings[0]))]
        return {name: Blocks(members, first, second, numbers, apart)}
    members = [np.flatnonzero(cells.labels == cell) for cell in range(len(cells.centres))]
    length = np.linalg.norm(cells.centres, axis=1, keepdims=True)
    unit = cells.centres / np.where(length > 0, length, 1)
    order = np.argsort(-np.round(unit @ unit.T, 6)[first, second], kind="stable")
    order = order[numbers[order] > 0]
    # A block belongs to the stratum in which its middle pair is.
    middle = (np.cumsum(numbers[order]) - numbers[order] / 2) / max(numbers.sum(), 1)
    stratum = np.searchsorted(NEARNESS[:-1], middle)
    places = np.unique(stratum)
    strata = {}
    for place in places:
        those = order[stratum == place]
        far = place == places[-1]
        due = _DUE_FAR if far else (1 - _DUE_FAR) / (len(places) - 1)
        separator = " " if name == "between" else ", "
        strata[f"{name}{separator}{place + 1}"] = Blocks(
            members, first[those], second[those], numbers[those], apart, due
        )
    return strata


def _numbers_apart(labels: Array, cells: Cells | None) -> Array:
    """Numbers of pairs that one clustering does not put together, by cell."""
    from scipy import sparse

    cell = np.zeros(len(labels), dtype=np.int64) if cells is None else cells.labels
    n_cells = 1 if cells is None else len(cells.centres)
    known = labels >= 0
    shape = (n_cells, int(labels.max(initial=-1)) + 1)
    counts = sparse.csr_array(
        (np.ones(int(known.sum()), dtype=np.int64), (cell[known], labels[known])), shape=shape
    )
    apart: Array = _all_pairs(cell, n_cells) - (counts @ counts.T).toarray()
    # Within a cell each pair is counted twice, and so is each image of the residual with itself.
    alone = np.bincount(cell[~known], minlength=n_cells)
    np.fill_diagonal(apart, (np.diagonal(apart) - alone) // 2)
    return apart


def _all_pairs(cell: Array, n_cells: int) -> Array:
    """Products of the sizes of cells."""
    sizes = np.bincount(cell, minlength=n_cells)
    products: Array = np.outer(sizes, sizes)
    return products


def _by_number_together(given: Sequence[Array], cells: Cells | None) -> dict[str, Blocks | Rows]:
    """The strata of several clusterings: pairs that none, few, ..., all put together.

    Pairs that no clustering puts together are counted as the difference from all pairs.
    The others are the non-zero entries of the product of an indicator matrix with itself,
    which is computed in blocks and not stored.
    """
    from scipy import sparse

    clusterings = [_apart(labels) for labels in given]
    n, n_clusterings = len(clusterings[0]), len(clusterings)
    n_strata = min(n_clusterings, _MOST_STRATA)
    last = [-(-n_clusterings * (i + 1) // n_strata) for i in range(n_strata)]
    stratum_of = np.searchsorted(last, np.arange(n_clusterings + 1)) + 1
    stratum_of[0] = 0
    names = [f"0 of {n_clusterings}"]
    for before, high in zip([0, *last], last, strict=False):
        between = f"{high}" if high == before + 1 else f"{before + 1}-{high}"
        names.append(f"{between} of {n_clusterings}")

    offsets = np.cumsum([0, *(labels.max() + 1 for labels in clusterings)])
    columns = np.stack(clusterings, axis=1) + offsets[:-1]
    indicator = sparse.csr_array(
        (
            np.ones(columns.size, dtype=np.int16),
            columns.ravel(),
            np.arange(0, columns.size + 1, n_clusterings),
        ),
        shape=(n, int(offsets[-1])),
    )
    entries = np.bincount(columns.ravel())[columns].sum(axis=1)
    counts = np.zeros((n, n_strata + 1), dtype=np.int64)
    cell = np.zeros(n, dtype=np.int64) if cells is None else cells.labels
    n_cells = 1 if cells is None else len(cells.centres)
    together = np.zeros(n_cells * n_cells, dtype=np.int64)
    for start, stop in _blocks(entries):
        # Each pair counts once, with the later image.
        found = (indicator[start:stop] @ indicator[start:].T).tocoo()
        later = found.col > found.row
        key = found.row[later].astype(np.int64) * (n_strata + 1) + stratum_of[found.data[later]]
        counted = np.bincount(key, minlength=(stop - start) * (n_strata + 1))
        counts[start:stop] = counted.reshape(stop - start, n_strata + 1)
        one, other = cell[found.row[later] + start], cell[found.col[later] + start]
        key = np.minimum(one, other) * n_cells + np.maximum(one, other)
        together += np.bincount(key, minlength=len(together))
    apart = _all_pairs(cell, n_cells) - together.reshape(n_cells, n_cells)
    sizes = np.bincount(cell, minlength=n_cells)
    np.fill_diagonal(apart, sizes * (sizes - 1) // 2 - np.diagonal(together.reshape(n_cells, -1)))

    def partner(stratum: int) -> Callable[[Array, Array], pd.DataFrame]:
        def find(one: Array, place: Array) -> pd.DataFrame:
            other = np.empty_like(one)
            for row in np.unique(one):
                together = (columns[row + 1 :] == columns[row]).sum(axis=1)
                those = np.flatnonzero(stratum_of[together] == stratum) + row + 1
                other[one == row] = those[place[one == row]]
            return pd.DataFrame({"a": one, "b": other})

        return find

    strata: dict[str, Blocks | Rows] = {}
    strata |= between_clusters(names[0], given, apart, cells)
    for stratum, name in enumerate(names[1:], 1):
        strata[name] = Rows(counts[:, stratum], partner(stratum))
    return strata


def _blocks(entries: Array) -> list[tuple[int, int]]:
    """Blocks of rows with at most :data:`_PAIRS_AT_ONCE` entries, or of a single row."""
    blocks, start, total = [], 0, 0
    for row, number in enumerate(entries.tolist()):
        if row > start and total + number > _PAIRS_AT_ONCE:
            blocks.append((start, row))
            start, total = row, 0
        total += number
    return [*blocks, (start, len(entries))]
