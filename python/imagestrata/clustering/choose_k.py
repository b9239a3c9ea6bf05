"""The paper's search for the number of clusters on a sample of the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
) -> tuple[Fit, pd.DataFrame]:
    """Raise k by steps while goodness of fit improves; return the best fit, and all scores.

    Every fit starts from its own seeds. (Starting from the centres of the previous fit
    is faster, but fits with large k then inherit the faults of earlier ones and are
    chosen less often; the clusterings were worse on every labelled set we tried.)
    """
    scores: list[float] = []
    fits: list[Fit] = []
    k_max = min(k_max, len(sample))
    for k in range(min(step_size, k_max), k_max + 1, step_size):
        fits.append(lloyd(sample, seed_centers(sample, k, rng)))
        scores.append(CRITERIA[criterion](sample, fits[-1]))
        all_distinct = len(fits[-1].centers) < k
        if all_distinct or not still_improves(scores, converge_window, tolerance * step_size):
            break
    best = int(np.argmax(scores))
    return fits[best], search_curve([len(fit.centers) for fit in fits], scores, best)


def search_curve(k: Sequence[int], scores: Sequence[float], best: int) -> pd.DataFrame:
    """The scores of a search: k, fit, and kept (1 for the best, else 0), all float64."""
    kept = np.arange(len(scores)) == best
    return pd.DataFrame({"k": k, "fit": scores, "kept": kept}, dtype="float64")


def still_improves(scores: list[float], window: int, tolerance: float) -> bool:
    """Whether the mean of the last ``window`` scores beats that of the window before.

    The relative gain must exceed ``tolerance`` for each step between the windows. With
    fewer than two full windows the answer is always yes.
    """
    if len(scores) < 2 * window:
        return True
    before = float(np.mean(scores[-2 * window : -window]))
    gain = float(np.mean(scores[-window:])) - before
    return gain > tolerance * window * abs(before)
