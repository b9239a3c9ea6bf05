"""Batch sizes of devices: measured at the start, and reduced when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Largest batch: batches are cut within parts of embeddings, which have this many images.
MOST = 256


def best_batch(
    seconds: Callable[[int], float], out_of_memory: type[Exception], most: int = MOST
) -> int:
    """Return the largest power of two that fits in memory and is not slower than half of it.

    Parameters
    ----------
    seconds : callable
        Takes a number of pictures and returns the time for all of them. Times per picture are
        compared.
    out_of_memory : type
        Exception that ``seconds`` raises for too many pictures.
    most : int, default 256

    Raises
    ------
    out_of_memory
        If not even one picture fits.
    """
    best, per_picture = 1, seconds(1)
    while 2 * best <= most:
        try:
            now = seconds(2 * best) / (2 * best)
        except out_of_memory:
            break
        if now > per_picture:
            break
        best, per_picture = 2 * best, now
    return best


class FittingBatches:
    """Processes pictures in batches that fit in memory, even if free memory changes.

    Parameters
    ----------
    work : callable
        Takes pictures of shape (n, ...) and returns n rows.
    out_of_memory : type
        Exception that ``work`` raises for too many pictures.

    Attributes
    ----------
    most : int
        Largest batch that is tried. It only ever decreases.
    """

    def __init__(
        self,
        work: Callable[[NDArray[Any]], NDArray[np.float32]],
        out_of_memory: type[Exception],
        most: int = 2**31,
    ) -> None:
        self._work = work
        self._out_of_memory = out_of_memory
        self.most = most

    def __call__(self, pictures: NDArray[Any]) -> NDArray[np.float32]:
        """Return the rows of all pictures.

        Raises
        ------
        out_of_memory
            If not even one picture fits.
        """
        done: list[NDArray[np.float32]] = []
        start = 0
        while start < len(pictures):
            some = pictures[start : start + self.most]
            try:
                done.append(self._work(some))
            except self._out_of_memory:
                if len(some) == 1:
                    raise
                # Half, or the next lower power of two.
                self.most = min(self.most, 1 << (len(some) - 1).bit_length() - 1)
            else:
                start += len(some)
        return done[0] if len(done) == 1 else np.concatenate(done)
