"""How many clusters to fit: the paper's search on a sample of the images."""

from __future__ import annotations

import numpy as np

from .criteria import CRITERIA
from .kmeans import Fit, lloyd, seed_centers
from .vectors import Vectors


def search_k(
    sample: Vectors,
    criterion: str,
    *,
    step_size: int,
    converge_window: int,
    tolerance: float,
    k_max: int,
    rng: np.random.Generator,
) -> Fit:
    """Raise k by steps while goodness of fit improves; the best fit seen.

    Each fit starts from the centres of the one before it and adds ``step_size``
    k-means++ seeds, so that the whole search costs little more than its last fit.
    """
    scores: list[float] = []
    fits: list[Fit] = []
    centers = None
    k_max = min(k_max, len(sample))
    for k in range(min(step_size, k_max), k_max + 1, step_size):
        fits.append(lloyd(sample, seed_centers(sample, k, rng, centers)))
        scores.append(CRITERIA[criterion](sample, fits[-1]))
        centers = fits[-1].centers
        settled = not still_improves(scores, converge_window, tolerance * step_size)
        if settled or len(centers) < k:
            break
    return fits[int(np.argmax(scores))]


def still_improves(scores: list[float], window: int, tolerance: float) -> bool:
    """Whether the mean of the last ``window`` scores beats that of the window before.

    It must do so by more than ``tolerance`` of the latter's size for each of the
    steps between them. Two full windows are needed to say no.
    """
    if len(scores) < 2 * window:
        return True
    before = float(np.mean(scores[-2 * window : -window]))
    gain = float(np.mean(scores[-window:])) - before
    return gain > tolerance * window * abs(before)
