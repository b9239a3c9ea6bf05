"""OpenCV without its messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: OpenCV has one level of messages for the whole process.
_silencing = threading.Lock()

#: OpenCV's level at which nothing is written.
_SILENT = 0


@contextmanager
def quiet_opencv() -> Iterator[Any]:
    """Provide OpenCV while it writes nothing to the terminal, to one thread at a time."""
    import cv2

    with _silencing:
        # In OpenCV 4, these functions are in the module itself.
        logs: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
        level = logs.getLogLevel()
        logs.setLogLevel(_SILENT)
        try:
            yield cv2
        finally:
            logs.setLogLevel(level)


def read_with_opencv(file: Any) -> NDArray[Any]:
    """Return the upright values of a picture, of one channel, or of red, green, blue and opacity.

    Parameters
    ----------
    file : BytesIO
        The content of the file.
    """
    assert isinstance(file, BytesIO)
    data = np.frombuffer(file.getbuffer(), dtype=np.uint8)
    with quiet_opencv() as cv2:
        found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if found is None:
        raise OSError("OpenCV cannot decode the file")
    if found.ndim == 3:  # blue is first
        found = np.ascontiguousarray(found[:, :, [2, 1, 0, 3][: found.shape[2]]])
    return np.asarray(found)
