"""Split images into training, validation and test, stratified by label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .task import Floats

SPLITS = ("train", "val", "test")


def split_images(
    truth: Floats, groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.str_]:
    """Assign every image to a split, so that each split has its share of every label.

    Groups are assigned one by one, beginning with the rarest label. Each goes to the split that
    still lacks most of that label (iterative stratification: Sechidis, Tsoumakas and Vlahavas
    2011, here with groups in place of images).

    Parameters
    ----------
    truth : ndarray of shape (n_images, n_labels)
        1, 0 or NaN. Negatives are a stratum too.
    groups : ndarray of shape (n_images,)
        Groups, numbered from 0. Images of one group stay in the same split.
    shares : sequence of 3 floats
        Shares of :data:`SPLITS`, which sum to 1.
    seed : int
        Seed to break ties.

    Returns
    -------
    ndarray of shape (n_images,)
        Names of splits.
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
            place = next(split for split in order if shares[split] > 0)
            chosen[group] = place
            lacking[place] -= held[group]
            room[place] -= sizes[group]
        waiting[turn] = False
    names: NDArray[np.str_] = np.array(SPLITS)[chosen[groups]]
    return names
