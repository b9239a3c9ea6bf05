"""Judgements of pairs as data: their likelihood, if some are wrong."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

#: Number of judged pairs that prior knowledge about a share is worth.
PRIOR_PAIRS = 2.0


def judged_share(share: Array, error_rate: float) -> Array:
    """Share of judgements that say "together", if pairs belong together with this share."""
    judged: Array = np.clip(error_rate + (1 - 2 * error_rate) * share, 1e-9, 1 - 1e-9)
    return judged


def judgement_loss(share: Array, same: Array, error_rate: float) -> tuple[float, Array]:
    """Negative log-likelihood of judgements, and its derivative by the share of each pair.

    Parameters
    ----------
    share : ndarray of shape (n_pairs,)
        Probability that each pair belongs together.
    same : ndarray of bool of shape (n_pairs,)
        Whether it was judged as together.
    error_rate : float
        Share of wrong judgements.
    """
    judged = judged_share(share, error_rate)
    loss = -np.where(same, np.log(judged), np.log1p(-judged)).sum()
    slope: Array = (1 - 2 * error_rate) * (judged - same) / (judged * (1 - judged))
    return float(loss), slope
