"""Sums of the scores of answers by unit, from which variances are computed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Array: TypeAlias = np.ndarray[Any, Any]


def scores_of(values: Array, shares: Array) -> tuple[float, Array]:
    """The weighted mean of values, and their linearised scores ``share * (value - mean)``."""
    # Distances from the first value are exactly 0 if all values are equal; rounding errors
    # would appear as a standard error.
    distance = values - values[0]
    distance[np.abs(distance) < 1e-12 * np.abs(values).max()] = 0
    shift = float(shares @ distance)
    return values[0] + shift, shares * (distance - shift)


def summed(units: Array, values: Array) -> tuple[Array, Array]:
    """The units, and their sums of values."""
    known, place = np.unique(units, return_inverse=True)
    return known, np.bincount(place, values, len(known))


def image_distances(image: Array, stratum: Array, scores: Array) -> tuple[Array, Array, Array]:
    """The images, their total scores, and the number of images of their stratum.

    Totals are distances from the mean of the images of the stratum, times ``sqrt(m / (m - 1))``
    for m images.
    """
    images, totals = summed(image, scores)
    first = pd.Series(stratum, image)
    of = pd.factorize(first[~first.index.duplicated()].loc[images], use_na_sentinel=False)[0]
    size = np.bincount(of)[of]
    centre = np.bincount(of, totals)[of] / size
    scale = np.sqrt(np.where(size > 1, size / np.maximum(size - 1, 1), 0))
    return images, (totals - centre) * scale, size
