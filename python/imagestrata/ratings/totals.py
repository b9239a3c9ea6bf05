"""Sums of the scores of answers by unit, from which variances are computed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Array: TypeAlias = np.ndarray[Any, Any]

#: With less than this part of the sum of squared shares, the variance of a few images would be
#: multiplied more than tenfold. All images that are alone are then compared across strata.
LEAST_OF_OTHERS = 0.1


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


def across_strata(totals: Array, share: Array, alone: Array) -> tuple[Array, Array]:
    """Scores of the images of a cell that are compared across strata, and parts of their degrees.

    The total score of an image is s (y - mean), with its share s in the mean. If images have the
    variance v wherever they are, (y - mean) has the variance v (1 - 2 s + q), with the sum q of
    squared shares; for n equal shares that is v (n - 1) / n. Scores are divided by the root of this
    number, so that their squares add up to the variance of the mean. What differs between strata
    is included, which makes it too large rather than too small. Parts add up to Satterthwaite's
    degrees of freedom of the scores of images that are ``alone`` in their stratum.
    """
    q = share @ share
    left = (1 - share) ** 2 + q - share**2
    by = np.where(left < 1e-10, 0, 1 / np.sqrt(np.maximum(left, 1e-10)))
    # The sum of w (y - mean)^2 over images has v w (1 - 2 s + q) on the diagonal of the covariance
    # matrix of its parts, and v (w w')^(1/2) (q - s - s') elsewhere: the squared trace, by the sum
    # of squares.
    w = np.where(alone, (by * share) ** 2, 0)
    one, two, three = w.sum(), w @ share, w @ share**2
    pairs = q**2 * one**2 + 2 * one * three + 2 * two**2 - 4 * q * one * two
    squared = ((w * left) ** 2 - (w * (q - 2 * share)) ** 2).sum() + pairs
    counted = alone & (share > 0)
    degrees = (w @ left) ** 2 / squared if squared > 0 else 0.0
    return totals * by, np.where(counted, degrees / max(counted.sum(), 1), 0)
