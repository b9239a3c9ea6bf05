"""How many pictures a device takes at once: found by trying, and less when memory gives out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Pictures at once, at most: batches are cut within parts of embeddings, which have so many.
MOST = 256


def best_batch(
    seconds: Callable[[int], float], out_of_memory: type[Exception], most: int = MOST
) -> int:
    """The largest power of two that fits in memory and takes no longer per picture than half.

    Parameters
    ----------
    seconds : callable
        Takes a number of pictures, and gives the time that they need together.
    out_of_memory : type
        What ``seconds`` raises where they are too many.
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
    """Works on pictures in batches that fit in memory, whatever else takes memory meanwhile.

    Parameters
    ----------
    work : callable
        Takes pictures, of shape (n, ...), and gives as many rows.
    out_of_memory : type
        What ``work`` raises where they are too many.

    Attributes
    ----------
    most : int
        Pictures at once, by what was seen so far; it never grows again.
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
        """The rows of all pictures, none of them lost.

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
                # Half, or the next power of two below.
                self.most = min(self.most, 1 << (len(some) - 1).bit_length() - 1)
            else:
                start += len(some)
        return done[0] if len(done) == 1 else np.concatenate(done)
