"""Functions of R's users that the core calls: encoders and methods of clustering of their own.

R runs in the main thread only, and would end if it were called from another one. Its functions
answer with a value or with the message of an error, since errors of R must not pass through Python.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..encoders import registered
from ..errors import ImagestrataError
from ..wording import quote
from .codec import decode_matrix, encode_matrix

#: Takes what the user's function needs; returns its "value", its "error", what is "wrong" with the
#: value (with a "hint"), or "interrupted".
Function: TypeAlias = Callable[..., dict[str, Any]]


def register_encoder(
    name: Any, encode: Function, input_size: Any, batch_size: Any, version: Any, code: str
) -> None:
    """Register a function of R, which receives the pixels as bytes in the order of R's arrays."""

    def run(pictures: NDArray[np.uint8]) -> NDArray[Any]:
        pixels = bytearray(pictures.tobytes(order="F"))
        sent = _value(f"The encoder {quote(name)}", encode, pixels, [*pictures.shape])
        return decode_matrix(sent)

    registered.register(name, run, code, input_size, batch_size, version)


def clusterer(function: Function) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that lets a function of R give a cluster to each row of a matrix."""

    def run(X: NDArray[Any]) -> NDArray[Any]:
        labels = decode_matrix(_value("The function", function, encode_matrix(X)))
        return labels[:, 0]

    return run


def _value(what: str, function: Function, *given: Any) -> Any:
    """Call a function of R, and return its value or raise its error."""
    if threading.current_thread() is not threading.main_thread():
        raise ImagestrataError(
            f"{what} was called outside the main thread, where R cannot run.",
            "Call the verb in the main thread.",
        )
    answer = function(*given)
    if answer.get("interrupted"):
        raise KeyboardInterrupt
    if answer.get("wrong") is not None:
        raise ImagestrataError(f"{what} {answer['wrong']}", answer["hint"])
    if answer.get("error") is not None:
        raise ImagestrataError(f"{what} stopped with an error: {answer['error']}")
    return answer["value"]
