"""OpenCV without its messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
