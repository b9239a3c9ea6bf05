"""The class Embeddings: vectors, and the images that they belong to."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..corpus.located import located, located_file
from ..corpus.scan import check_unique
from ..errors import ImagestrataError, plural
from ..files import make_folder
from ..provenance import check_run, step_folder
from ..rows import rows_not_finite
from ..shown import Part, Shown
from ..tables import from_elsewhere, id_texts, with_file
from ..validate import check_unmasked
from ..wording import arg, kind_of, quote, verb
from .mapped import file_of, load_vectors, map_vectors
from .parts import (
    MissingPartError,
    VectorParts,
    encoder_key,
    finish,
    read_finished,
    read_state,
    write_state,
)

_MAKE_AGAIN = (
    f"Call {verb('embed_images')} as before: existing parts are kept, and only missing ones are "
    "computed."
)


#: Largest integer up to which float32 represents all integers.
_MOST_WHOLE = 2**24


class Embeddings(Shown):
    """One vector per distinct image, with the ids of the images.

    :func:`imagestrata.embed_images`, :meth:`load` and :meth:`from_arrays` return it.

    Attributes
    ----------
    images : DataFrame
        One row per vector: ``image_id``, ``path``, ``n_copies``, then the other columns of
        the images.
    matrix : ndarray of shape (n_images, width), float32
        The vectors, in the order of ``images``. All numbers are finite. If a run folder has
        more than 256 MiB of vectors, they stay on disk: ``matrix`` is then a read-only
        ``numpy.memmap`` of a file in ``embeddings/``, which is made when they are first read.
        You can use it like any other array; see Notes.
    encoder : dict
        Settings that decided the vectors: name, weights and their hash, preprocessing,
        precision. For vectors given as an array, only the ``width``.
    failures : DataFrame
        Images without a vector: the same columns and ``reason``. They were usable in the
        scan, but have changed or disappeared since.
    state : dict of arrays
        Arrays that the encoder learnt from the corpus (the visual words of ``bovw``); empty
        for encoders that do not learn.

    Notes
    -----
    Vectors on disk are read when you use them. Work on blocks of rows: ``matrix[rows]`` and
    arithmetic on all of ``matrix`` create arrays in memory. Copies and pickles of the
    embeddings refer to the file, which must still exist when they are used. When the run
    folder gets other embeddings, loaded ones keep their vectors. On Windows, however, a file
    in use cannot be removed or replaced: delete the object (``del embeddings``) first.

    Examples
    --------
    >>> import numpy as np
    >>> from imagestrata import Embeddings
    >>> Embeddings.from_arrays(np.eye(3), ["a", "b", "c"])
    Embeddings of 3 images, 3 numbers each
    """

    def __init__(
        self,
        images: pd.DataFrame,
        matrix: NDArray[np.float32],
        encoder: Mapping[str, Any],
        *,
        failures: pd.DataFrame | None = None,
        state: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        self.images = images
        self.matrix = matrix
        self.encoder = dict(encoder)
        self.failures = images.iloc[:0].assign(reason="") if failures is None else failures
        self.state = dict(state or {})
        #: The matrix, after its numbers were found to be finite and if they cannot change.
        self._finite_matrix: NDArray[np.float32] | None = None

    @classmethod
    def from_arrays(
        cls,
        matrix: ArrayLike,
        image_ids: Sequence[str] | None = None,
        paths: Sequence[str | os.PathLike[str]] | None = None,
    ) -> Embeddings:
        """Make embeddings from vectors of your own.

        Parameters
        ----------
        matrix : array-like of shape (n_images, width), tensor, or DataFrame
            Finite numbers, which are stored as float32. A data frame (of pandas, polars or
            Arrow) contains them in columns of numbers or in one column of lists; its
            ``image_id`` and ``path``, or else its index, name the rows. An array (or
            ``numpy.memmap``) that is float32 in C order is used without a copy, so changes to
            it change the embeddings.
        image_ids : sequence of str, optional
            A distinct name for each row. By default those of a data frame, or the numbers of
            the rows, from 1.
        paths : sequence of path, optional
            The image file of each row, for galleries.

        Raises
        ------
        ImagestrataError
            If the shapes do not fit, a number is not finite, or an id is repeated.
        """
        matrix = from_elsewhere(matrix)
        if isinstance(matrix, pd.DataFrame):
            image_ids = _ids_of(matrix) if image_ids is None else image_ids
            paths = matrix["path"].tolist() if paths is None and "path" in matrix else paths
            matrix = _numbers_of(matrix)
        vectors = _checked_matrix(matrix)
        n = len(vectors)
        if image_ids is None:
            image_ids = [str(row).zfill(len(str(n))) for row in range(1, n + 1)]
        given = pd.Series(list(_of_length("image_ids", image_ids, n)))
        ids = id_texts(given, "image_ids")
        if ids.isna().any():
            raise ImagestrataError(
                f"{int(ids.isna().sum())} of {n} {arg('image_ids')} are missing."
            )
        where = [None] * n if paths is None else list(_of_length("paths", paths, n))
        images = pd.DataFrame(
            {
                "image_id": ids,
                "path": pd.Series([p if p is None else str(p) for p in where], dtype="str"),
                "n_copies": 1,
            }
        )
        check_unique(images["image_id"])
        return cls(with_file(images), vectors, {"width": vectors.shape[1]})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Embeddings:
        """Read the embeddings of a run folder.

        Parameters
        ----------
        folder : path
            The folder that you gave to :func:`imagestrata.embed_images` as ``out``, or to
            :meth:`save`.

        Raises
        ------
        ImagestrataError
            If the folder has no finished embeddings, or some parts are missing or damaged.
        """
        run = step_folder(check_run("folder", folder), "embed")
        loaded = read_embeddings(run / "embeddings")
        if loaded is None:
            begun = (run / "embeddings").is_dir()
            raise ImagestrataError(
                f"The embeddings in {quote(run)} are unfinished."
                if begun
                else f"There are no embeddings in {quote(run)}.",
                _MAKE_AGAIN if begun else f"Make them with {verb('embed_images')}.",
            )
        return loaded

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the embeddings into ``folder/embeddings``, for :meth:`load`.

        Raises
        ------
        ImagestrataError
            If the folder already contains embeddings, or cannot be written.
        """
        place = make_folder(folder, "folder") / "embeddings"
        if place.exists() and any(place.iterdir()):
            raise ImagestrataError(
                f"{quote(folder)} already holds embeddings.", "Choose another folder."
            )
        write_embeddings(self, place)

    def __len__(self) -> int:
        return len(self.images)

    def __getstate__(self) -> dict[str, Any]:
        path = file_of(self.matrix)
        matrix = np.asarray(self.matrix) if path is None else path.absolute()
        return self.__dict__ | {"matrix": matrix, "_finite_matrix": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        matrix = state["matrix"]
        mapped = map_vectors(matrix) if isinstance(matrix, Path) else matrix
        self.__dict__ |= state | {"matrix": mapped}

    def _parts(self) -> list[Part]:
        n, width = self.matrix.shape
        text = f"Embeddings of {plural(n, 'image')}, {plural(width, 'number')} each"
        if "name" in self.encoder:
            text += f", by {self.encoder['name']}"
        if len(self.failures):
            text += f"; {len(self.failures):,} failed"
        return [text]


def check_finite(embeddings: Embeddings) -> None:
    """Check all numbers, but check an array that cannot change only once."""
    if embeddings._finite_matrix is embeddings.matrix:
        return
    bad = rows_not_finite(embeddings.matrix)
    if len(bad):
        name = embeddings.images["image_id"].iloc[bad[0]]
        raise ImagestrataError(
            f"{len(bad)} of {plural(len(embeddings.matrix), 'vector')} hold NaN or infinite "
            f"numbers, the first in row {bad[0]} (image {name}).",
            "Leave those images out, or embed them again.",
        )
    if not embeddings.matrix.flags.writeable:
        embeddings._finite_matrix = embeddings.matrix


def write_embeddings(embeddings: Embeddings, folder: Path) -> None:
    """Write embeddings to a folder of parts, and replace existing ones."""
    failures = embeddings.failures
    table = pd.concat([embeddings.images, failures.drop(columns="reason")], ignore_index=True)
    reasons = [None] * len(embeddings) + failures["reason"].tolist()
    parts = VectorParts(folder, encoder_key(embeddings.encoder))
    parts.clear()
    ids = table["image_id"].tolist()
    width = embeddings.matrix.shape[1]
    done = 0
    for some, why in zip(parts.split(ids), parts.split(reasons), strict=True):
        vectors = embeddings.matrix[done:][: len(why)]
        unset = np.zeros((len(why) - len(vectors), width), dtype=np.float32)
        parts.write(some, np.concatenate([vectors, unset]), why)
        done += len(why)
    if embeddings.state:
        write_state(folder, embeddings.encoder["learnt_from"], embeddings.state)
    finish(folder, table, embeddings.encoder)


def read_embeddings(folder: Path, *, every_part: bool = False) -> Embeddings | None:
    """Read the embeddings of a run; None if any part is missing or damaged.

    Parameters
    ----------
    folder : Path
        The folder of parts in the run folder.
    every_part : bool, default False
        Check every byte of the parts, even if the vectors come from an intact file that was
        made from them.
    """
    stored = read_finished(folder)
    if stored is None:
        return None
    images, settings = stored
    images = located(images, folder.parent, "embed")
    if "weights" in settings:
        settings["weights"] = located_file(settings["weights"], folder.parent, "embed")
    state = None
    if "learnt_from" in settings:
        state = read_state(folder, settings["learnt_from"])
        if state is None:
            return None
    parts = VectorParts(folder, encoder_key(settings))
    if every_part and not parts.are_whole():
        return None
    try:
        return assemble(images, parts, settings, state)
    except MissingPartError:
        return None


def assemble(
    images: pd.DataFrame,
    parts: VectorParts,
    settings: Mapping[str, Any],
    state: Mapping[str, NDArray[np.float32]] | None,
) -> Embeddings:
    """Return embeddings of all images, including failed ones, from their parts."""
    vectors, reasons = load_vectors(parts, images["image_id"].tolist(), settings["width"])
    failed = np.array([reason is not None for reason in reasons])
    failures = images[failed].assign(reason=reasons[failed]).reset_index(drop=True)
    kept = images[~failed].reset_index(drop=True)
    return Embeddings(kept, vectors, settings, failures=failures, state=state)


def _ids_of(table: pd.DataFrame) -> list[Any]:
    """Return the ids of the rows of a table of vectors."""
    if "image_id" in table:
        return table["image_id"].tolist()
    if isinstance(table.index, pd.MultiIndex):
        raise ImagestrataError(
            f"{arg('matrix')} has an index of {table.index.nlevels} levels, which cannot name "
            "images.",
            "Name the images in a column 'image_id'.",
        )
    return table.index.tolist()


def _numbers_of(table: pd.DataFrame) -> Any:
    """Return the vectors in a table: its columns of numbers, or one column of lists."""
    rest = table.drop(columns=[name for name in ("image_id", "path", "file") if name in table])
    first: Any = rest.iloc[0, 0] if rest.shape[1] == 1 and len(rest) else 0
    if np.ndim(first) == 1:
        try:
            return np.stack(rest.iloc[:, 0].to_list())
        except ValueError:
            raise ImagestrataError(
                f"The lists in the column {quote(rest.columns[0])} have different lengths. All "
                "vectors of an encoder must have the same width."
            ) from None
    words = [name for name in rest if not pd.api.types.is_numeric_dtype(rest[name].dtype)]
    if words:
        raise ImagestrataError(
            f"{plural(len(words), 'column')} of {arg('matrix')} hold no numbers; the first is "
            f"{quote(str(words[0]))}.",
            "Keep only the columns of the vectors, image_id and path.",
        )
    return rest.to_numpy()


def _checked_matrix(matrix: ArrayLike) -> NDArray[np.float32]:
    check_unmasked("matrix", matrix)
    try:
        vectors = np.asarray(_real_numbers(matrix), dtype=np.float32, order="C")
    except ImagestrataError:
        raise
    except (TypeError, ValueError):
        raise ImagestrataError(
            f"{arg('matrix')} must be a table of real numbers, one row per image, not "
            f"{kind_of(matrix)}{f' of {matrix.dtype}' if isinstance(matrix, np.ndarray) else ''}."
        ) from None
    if vectors.ndim != 2 or not vectors.size:
        raise ImagestrataError(
            f"{arg('matrix')} must have one row per image and one column per number; its shape is "
            f"{vectors.shape}."
        )
    if isinstance(matrix, np.memmap) and np.may_share_memory(matrix, vectors):
        vectors = matrix
    bad = rows_not_finite(vectors)
    if len(bad):
        raise ImagestrataError(
            f"{arg('matrix')} must hold finite numbers; {len(bad)} of "
            f"{plural(len(vectors), 'row')} have NaN or infinite ones (the first is row "
            f"{bad[0] + 1}).",
            "Leave those images out.",
        )
    return vectors


def _real_numbers(matrix: ArrayLike) -> NDArray[Any]:
    """Return the values, with NaN for missing ones; TypeError if they are not real numbers."""
    given = np.asarray(matrix)
    if given.dtype.kind == "O":
        missing = pd.isna(given)
        if not all(isinstance(value, numbers.Real) for value in given[~missing]):
            raise TypeError
        return np.where(missing, np.nan, given).astype(np.float64)
    if given.dtype.kind not in "biuf":
        raise TypeError
    if given.dtype.kind in "iu" and given.size:
        most = max(int(given.max()), -int(given.min()))
        if most > _MOST_WHOLE:
            raise ImagestrataError(
                f"{arg('matrix')} holds integers up to {most:,}; float32 distinguishes them only "
                f"up to {_MOST_WHOLE:,}.",
                "Leave out columns of ids, or scale the numbers.",
            )
    return given


def _of_length(name: str, values: Sequence[Any], n: int) -> Sequence[Any]:
    if isinstance(values, str) or len(values) != n:
        seen = repr(values) if isinstance(values, str) else f"{len(values)} of them"
        raise ImagestrataError(
            f"{arg(name)} must have one value for each of {plural(n, 'row')}, not {seen}."
        )
    return values
