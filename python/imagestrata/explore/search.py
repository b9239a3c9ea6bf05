"""Search the images of a clustering by their vectors: images like a picture, or like words."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..clustering.base import FEWEST_DIMENSIONS
from ..embeddings.embeddings import Embeddings
from ..errors import ImagestrataError, plural
from ..names import Images, some
from ..rows import Rows, blocks
from ..tables import id_texts
from ..wording import arg, kind_of, quote, verb

if TYPE_CHECKING:
    from PIL import Image

#: Difference of similarities that rounding can cause before candidates are compared exactly.
_ROUNDING = 1e-6


def nearest_images(
    rows: Rows, queries: NDArray[Any], n: int, *, by_angle: bool, first: NDArray[Any] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The ``n`` rows that are most similar to each query.

    Parameters
    ----------
    rows : Rows of shape (N, d)
        Read block after block.
    queries : ndarray of shape (q, d)
    n : int
    by_angle : bool
        Whether the similarity is the cosine; otherwise it is 1 / (1 + Euclidean distance).
    first : ndarray of shape (q,), optional
        For each query, the row that comes first among equal ones; -1 for none.

    Returns
    -------
    query, row, similarity : ndarrays of the same length
        By query, the most similar first, ties by row.
    """
    asked = queries.astype(np.float64)
    asked = _units(asked) if by_angle else asked
    kept: list[tuple[Any, Any]] = [(np.empty(0, np.intp), np.empty(0)) for _ in asked]
    for block in blocks(len(rows)):
        some = rows[block].astype(np.float64)
        squares = np.einsum("ij,ij->i", some, some)
        products = asked @ some.T
        if by_angle:
            close = products / np.sqrt(np.where(squares > 0, squares, 1.0))
        else:
            norms = np.einsum("ij,ij->i", asked, asked)[:, None]
            close = 1 / (1 + np.sqrt(np.maximum(norms + squares - 2 * products, 0)))
        here = np.arange(block.start, block.start + len(some))
        for i, line in enumerate(close):
            numbers, values = np.append(kept[i][0], here), np.append(kept[i][1], line)
            if len(values) > n:
                least = np.partition(values, -n)[-n] - _ROUNDING
                numbers, values = numbers[values >= least], values[values >= least]
            kept[i] = numbers, values
    found = []
    for i, (numbers, _) in enumerate(kept):
        some = rows[numbers].astype(np.float64)
        apart = (_units(some) if by_angle else some) - asked[i]
        squares = np.einsum("ij,ij->i", apart, apart)
        # From the difference, so that equal vectors have exactly the similarity 1.
        exact = 1 - squares / 2 if by_angle else 1 / (1 + np.sqrt(squares))
        if by_angle:  # a vector of zeros has no angle
            exact = np.where(some.any(axis=1) & bool(asked[i].any()), exact, 0.0)
        itself = numbers != (-1 if first is None else first[i])
        order = np.lexsort((numbers, itself, -exact))[:n]
        found.append((np.full(len(order), i), numbers[order], exact[order]))
    query, row, similarity = (np.concatenate(each) for each in zip(*found, strict=True))
    return query, row, similarity


def _units(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    units: NDArray[np.float64] = rows / np.where(norms > 0, norms, 1.0)
    return units


def has_angles(embeddings: Embeddings) -> bool:
    """Whether the angles of vectors have a meaning: not where UMAP placed them, nor in few
    dimensions."""
    umap = embeddings.encoder.get("reduced_by") == "umap"
    return not umap and embeddings.matrix.shape[1] >= FEWEST_DIMENSIONS


def vectors_like(
    like: Any,
    images: pd.DataFrame,
    embeddings: Embeddings,
    weights: str | os.PathLike[str] | None,
) -> tuple[list[str], NDArray[np.float32], NDArray[np.intp]]:
    """The name, the vector, and the row among the embeddings (or -1) of each picture asked for.

    Images of the corpus keep the vectors that they have; others are embedded as the corpus was.
    """
    asked = _as_list(like)
    known = Images(images)
    ids = pd.Index(id_texts(embeddings.images["image_id"]))
    rows = np.full(len(asked), -1, dtype=np.intp)
    outside: dict[int, Any] = {}
    names = []
    for i, one in enumerate(asked):
        if isinstance(one, str | os.PathLike):
            names.append(str(one))
            row = _row_of(str(one), known)
            if row is None:
                outside[i] = str(one)
            else:
                rows[i] = ids.get_indexer(pd.Index([str(images["image_id"].iloc[row])]))[0]
        else:
            names.append(f"picture {i + 1}")
            outside[i] = _as_picture(one, i)
    vectors = np.empty((len(asked), embeddings.matrix.shape[1]), dtype=np.float32)
    if outside:
        with tempfile.TemporaryDirectory() as folder:
            paths = {i: _as_file(one, Path(folder), i) for i, one in outside.items()}
            rows, vectors = _embedded(paths, names, rows, vectors, embeddings, ids, weights)
    inside = rows >= 0
    vectors[inside] = embeddings.matrix[rows[inside]]
    return names, vectors, rows


def _as_list(like: Any) -> list[Any]:
    """Pictures asked for: one, or several in a list, a Series or a column of a table."""
    if isinstance(like, pd.DataFrame):
        if "image_id" not in like:
            raise ImagestrataError(f"The table of images in {arg('like')} has no column image_id.")
        like = like["image_id"]
    single = isinstance(like, str | os.PathLike | np.ndarray) or not hasattr(like, "__iter__")
    asked = [like] if single else [*like]
    if not asked:
        raise ImagestrataError(f"{arg('like')} contains no picture.")
    return asked


def _row_of(name: str, known: Images) -> int | None:
    """The row of the image that a name means; None for a file that is no image of the corpus.

    An existing file comes before an image whose path only ends with the name.
    """
    fits = known.find(name)
    file = os.path.expanduser(name)  # noqa: PTH111 - any text is accepted here
    if os.path.isfile(file):  # noqa: PTH113
        place = os.path.realpath(file)
        return next(
            (
                row
                for row in fits
                if name == known.table["image_id"].iloc[row]
                or place == os.path.realpath(str(known.table["path"].iloc[row]))
            ),
            None,
        )
    if not fits:
        raise ImagestrataError(
            f"{quote(name)} in {arg('like')} is neither a file nor one of the "
            f"{plural(len(known.table), 'image')}: these are {some(known.table['image_id'])}.",
            "Give the path of a picture, or an image_id.",
        )
    return int(known.rows_of([name], arg("like"))[0])


def _as_picture(given: Any, i: int) -> Image.Image:
    """A picture from Pillow, or an array of pixels."""
    from PIL import Image, ImageOps

    if isinstance(given, Image.Image):
        return ImageOps.exif_transpose(given)
    pixels = np.asarray(given)
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype == np.uint8 and shaped and pixels.size:
        return Image.fromarray(pixels)
    seen = (
        f"an array of {pixels.dtype} with the shape {pixels.shape}"
        if isinstance(given, np.ndarray)
        else kind_of(given)
    )
    raise ImagestrataError(
        f"{arg('like')} must be the path of a picture, an image_id, a picture of Pillow, an array "
        f"of pixels (height x width x 3, whole numbers from 0 to 255, uint8), or a list of these; "
        f"number {i + 1} is {seen}."
    )


def _as_file(picture: Any, folder: Path, i: int) -> str:
    if isinstance(picture, str):
        return str(Path(picture).expanduser().absolute())
    # Neither format changes a pixel; PNG has fewer modes.
    ending = "png" if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else "tiff"
    path = folder / f"{i}.{ending}"
    picture.save(path)
    return str(path)


def _embedded(
    paths: dict[int, str],
    names: Sequence[str],
    rows: NDArray[np.intp],
    vectors: NDArray[np.float32],
    embeddings: Embeddings,
    ids: pd.Index[Any],
    weights: str | os.PathLike[str] | None,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Rows and vectors with those of the files: from the corpus, if it has the same content."""
    from ..corpus.scan import scan_images

    try:
        scanned = scan_images([*dict.fromkeys(paths.values())], progress=False)
    except ImagestrataError as error:  # no file can be used
        raise ImagestrataError(error.message, f"Give other pictures as {arg('like')}.") from None
    by_path = scanned.set_index("path")
    places = {i: by_path.loc[path] for i, path in paths.items()}
    for i, line in places.items():
        if line["status"] == "rejected":
            raise ImagestrataError(
                f"The picture {quote(names[i])} in {arg('like')} cannot be used: {line['reason']}."
            )
        for name in ("image_id", "duplicate_of"):
            if isinstance(line[name], str) and rows[i] < 0:
                rows[i] = ids.get_indexer(pd.Index([str(line[name])]))[0]
    new = {i: line for i, line in places.items() if rows[i] < 0}
    if new:
        made = _like_the_corpus(scanned, embeddings, weights)
        failed = made.failures.set_index("image_id")["reason"]
        found = pd.Index(made.images["image_id"])
        for i, line in new.items():
            copy_of = line["duplicate_of"]
            image_id = copy_of if isinstance(copy_of, str) else line["image_id"]
            if image_id in failed.index:
                raise ImagestrataError(
                    f"The picture {quote(names[i])} in {arg('like')} cannot be used: "
                    f"{failed[image_id]}."
                )
            vectors[i] = made.matrix[found.get_loc(image_id)]
    return rows, vectors


def _like_the_corpus(
    images: pd.DataFrame, embeddings: Embeddings, weights: str | os.PathLike[str] | None
) -> Embeddings:
    """Embed pictures with the encoder, the settings and the state of earlier embeddings."""
    from ..embeddings.embed import embed_images

    encoder = embeddings.encoder
    name = encoder.get("name")
    known = f"Images of the corpus can be given by their image_id: {arg('like', '<image_id>')}."
    if name is None:
        raise ImagestrataError(
            "The vectors were given as an array, so that their encoder is unknown and cannot embed "
            "a new picture.",
            known,
        )
    if "reduced_from" in encoder:
        raise ImagestrataError(
            f"The vectors were reduced (they are {name}). The reduction was fitted to the images "
            "of the corpus and cannot reduce a new picture comparably.",
            known,
        )
    if str(name).startswith("text:"):
        raise ImagestrataError(
            f"The vectors are of texts about the images ({name}), which a new picture does not "
            "have.",
            known,
        )
    return embed_images(images, encoder=embeddings, weights=weights, progress=False)


def vectors_of_words(
    text: Any, embeddings: Embeddings, weights: str | os.PathLike[str] | None
) -> tuple[list[str], NDArray[np.float32]]:
    """The texts asked for and their vectors, by the text tower of the CLIP of the corpus."""
    texts = [text] if isinstance(text, str) else list(text) if hasattr(text, "__iter__") else [text]
    if not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        raise ImagestrataError(
            f"{arg('text')} must be words such as {quote('a crowd with banners')}, or a list of "
            f"such texts, not {quote(text)}."
        )
    name = str(embeddings.encoder.get("name"))
    if not name.startswith("clip:") or "reduced_from" in embeddings.encoder:
        made = "of an unknown encoder" if name == "None" else f"by {name}"
        raise ImagestrataError(
            f"The vectors are {made}: words can be compared only with vectors of CLIP, which was "
            "trained on pictures and their captions together.",
            f"Embed the images with {arg('encoder', 'clip:ViT-B-32')}, or another {quote('clip:')} "
            f"encoder (see {verb('list_encoders')}), and do not reduce the vectors; or search by "
            f"a picture, with {arg('like')}.",
        )
    from ..encoders.clip import text_vectors

    return texts, text_vectors(embeddings.encoder, texts, weights)
