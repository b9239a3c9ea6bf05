"""Who trains, who validates, who tests: stratified, copies never apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .task import Floats

SPLITS = ("train", "val", "test")


def split_images(
    truth: Floats, groups: NDArray[np.int64], shares: Sequence[float], seed: int
) -> NDArray[np.str_]:
    """A split for every image, such that each has its share of every label.

    Groups are handed out one by one, those with the rarest label first, each to the
    split that still lacks most of that label (iterative stratification: Sechidis,
    Tsoumakas and Vlahavas 2011), here with groups in place of images.

    Parameters
    ----------
    truth : ndarray of shape (n_images, n_labels)
        1, 0 or NaN. Negatives are a stratum like positives.
    groups : ndarray of shape (n_images,)
        Images of one group, numbered from 0, stay together.
    shares : sequence of 3 floats
        Of :data:`SPLITS`; they sum to 1.
    seed : int
        Breaks ties.

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
        # Large groups first: small ones can still even out what they unbalance.
        for group in turn[np.argsort(-sizes[turn], kind="stable")]:
            order = np.lexsort((rng.random(len(room)), -room, -lacking[:, rarest]))
            place = next(split for split in order if shares[split] > 0)
            chosen[group] = place
            lacking[place] -= held[group]
            room[place] -= sizes[group]
        waiting[turn] = False
    names: NDArray[np.str_] = np.array(SPLITS)[chosen[groups]]
    return names
