"""Convert the argument ``embeddings`` of all verbs to checked embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ImagestrataError
from ..provenance import fingerprint
from ..rows import Rows, rows_hash
from ..tables import from_elsewhere
from ..wording import kind_of
from .embeddings import Embeddings, check_finite
from .parts import encoder_key


def as_embeddings(images: Any, embed: Callable[[Any], Embeddings] | None = None) -> Embeddings:
    """Return embeddings of at least one image, with finite numbers only.

    Parameters
    ----------
    images : Embeddings, input of :meth:`Embeddings.from_arrays`, or input of ``embed``
    embed : callable, optional
        Computes embeddings of a folder or a table of images.
    """
    if isinstance(images, Embeddings):
        embeddings = images
    elif is_vectors(images := from_elsewhere(images)) or (
        embed is None and isinstance(images, pd.DataFrame)
    ):
        embeddings = Embeddings.from_arrays(images)
    elif embed is not None and isinstance(
        images, (str, os.PathLike, list, tuple, pd.Series, pd.DataFrame)
    ):
        embeddings = embed(images)
    else:
        pictures = "a folder or table of images, " if embed is not None else ""
        raise ImagestrataError(
            f"Give {pictures}embeddings, or vectors: a matrix with one row per image, or a data "
            f"frame; not {kind_of(images)}."
        )
    if not len(embeddings.matrix):
        raise ImagestrataError("The embeddings contain no images.")
    check_finite(embeddings)
    return embeddings


def is_vectors(given: Any) -> bool:
    """Return whether this is an array, a list of rows of numbers, or a table of numbers."""
    if isinstance(given, pd.DataFrame):
        rest = given.drop(columns="image_id", errors="ignore")
        numbers = rest.select_dtypes("number").shape[1] == rest.shape[1] > 0
        lists = rest.shape[1] == 1 and len(rest) > 0 and np.ndim(rest.iloc[0, 0]) == 1  # type: ignore[arg-type]
        return numbers or lists
    if isinstance(given, list | tuple):
        return len(given) > 0 and np.ndim(given[0]) == 1 and not isinstance(given[0], str)
    return isinstance(given, np.ndarray)


def embeddings_fingerprint(embeddings: Embeddings, rows: NDArray[np.intp] | None = None) -> str:
    """Return a fingerprint that is the same if the same images are embedded again.

    With ``rows``, it is that of embeddings of these images alone, in this order.
    """
    ids = embeddings.images["image_id"]
    content = {
        "ids": (ids if rows is None else ids.take(rows)).tolist(),
        "encoder": encoder_key(embeddings.encoder),
    }
    if "name" not in embeddings.encoder:
        # Only the numbers identify a user's own vectors.
        matrix = embeddings.matrix
        content["vectors"] = rows_hash(matrix if rows is None else Rows(matrix, rows))
    return fingerprint(content)
