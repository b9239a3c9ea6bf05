"""Split images into training, validation and test, or into folds, stratified by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..wording import arg
from .task import Floats

if TYPE_CHECKING:
    from .labels import Labelled

SPLITS = ("train", "val", "test")

#: The name of predictions by a network that has not seen the image, of a model with folds.
FOLD = "fold"


def split_images(
    truth: Floats, groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.str_]:
    """Return the name of the split of every image, see :func:`deal`."""
    names: NDArray[np.str_] = np.array(SPLITS)[deal(truth, groups, shares, seed)]
    return names


def fold_images(
    truth: Floats, groups: NDArray[np.int64], n_folds: int, seed: int
) -> NDArray[np.int64]:
    """Return the fold of every image, from 1, see :func:`deal`."""
    return 1 + deal(truth, groups, [1 / n_folds] * n_folds, seed)


def split_around(
    fold: int,
    folds: NDArray[np.int64],
    truth: Floats,
    groups: NDArray[np.int64],
    shares: Sequence[float],
    seed: int,
) -> NDArray[np.str_]:
    """Split the images outside a fold into training and validation; the fold's are "fold"."""
    others = folds != fold
    numbers = np.unique(groups[others], return_inverse=True)[1]
    split = np.full(len(folds), FOLD, dtype="<U5")
    split[others] = np.array(SPLITS)[deal(truth[others], numbers, shares, [seed, fold])]
    return split


def check_parts(
    labelled: Labelled,
    split: NDArray[np.str_],
    wanted: Sequence[str],
    *,
    given: bool = False,
    where: str = "",
) -> None:
    """Check that every split has images with and without each label."""
    for name in wanted:
        rows = labelled.truth[split == name]
        short = [
            label
            for label, column in zip(labelled.labels, rows.T, strict=True)
            if not ((column == 1).any() and (column == 0).any())
        ]
        if not short:
            continue
        message = (
            f"The split {name!r}{where} ({plural(len(rows), 'image')}) lacks images with or "
            f"without {', '.join(map(repr, short[:5]))}{', ...' if len(short) > 5 else ''}"
        )
        if name == "train" or not len(rows):
            raise ImagestrataError(
                f"{message}.",
                "Label more images of that kind, or change "
                f"{arg('split')}{' (the column of your labels)' if given else ''}.",
            )
        warn(f"{message}: its measures are missing or unreliable.")


def deal(
    truth: Floats,
    groups: NDArray[np.int64],
    shares: Sequence[float],
    seed: int | Sequence[int],
) -> NDArray[np.int64]:
    """Assign every image to a part, so that each part has its share of every label.

    Groups are assigned one by one, beginning with the rarest label. Each goes to the part that
    still lacks most of that label (iterative stratification: Sechidis, Tsoumakas and Vlahavas
    2011, here with groups in place of images).

    Parameters
    ----------
    truth : ndarray of shape (n_images, n_labels)
        1, 0 or NaN. Negatives are a stratum too.
    groups : ndarray of shape (n_images,)
        Groups, numbered from 0. Images of one group stay in the same part.
    shares : sequence of float
        Shares of the parts, which sum to 1.
    seed : int or sequence of int
        Seed to break ties.

    Returns
    -------
    ndarray of shape (n_images,)
        Numbers of parts, from 0.
    """
    rng = np.random.default_rng(seed)
    strata = np.hstack([truth == 1, truth == 0]).astype(float)
    n_groups = groups.max() + 1
    held = np.zeros((n_groups, strata.shape[1]))
    np.add.at(held, groups, strata)
    sizes = np.bincount(groups, minlength=n_groups).astype(float)
    lacking = np.outer(shares, strata.sum(axis=0))
    room = np.asarray(shares) * len(truth)
    chosen = np.full(n_groups, -1)
    shuffled = rng.permutation(n_groups)
    waiting = np.ones(n_groups, dtype=bool)
    while waiting.any():
        left = held[waiting].sum(axis=0)
        rarest = np.where(left > 0, left, np.inf).argmin()
        turn = shuffled[waiting[shuffled] & ((held[shuffled, rarest] > 0) | (left.sum() == 0))]
        # Large groups first: small ones can compensate for the imbalance.
        for group in turn[np.argsort(-sizes[turn], kind="stable")]:
            order = np.lexsort((rng.random(len(room)), -room, -lacking[:, rarest]))
            place = next(part for part in order if shares[part] > 0)
            chosen[group] = place
            lacking[place] -= held[group]
            room[place] -= sizes[group]
        waiting[turn] = False
    return np.asarray(chosen[groups], dtype=np.int64)
