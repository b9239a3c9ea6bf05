"""OpenCV without its messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: OpenCV has one level of messages for the whole process.
_silencing = threading.Lock()


@contextmanager
def quiet_opencv() -> Iterator[Any]:
    """Provide OpenCV while it writes nothing to the terminal, to one thread at a time."""
    import cv2

    with _silencing:
        logs = cv2.utils.logging
        level = logs.getLogLevel()
        logs.setLogLevel(logs.LOG_LEVEL_SILENT)
        try:
            yield cv2
        finally:
            logs.setLogLevel(level)
