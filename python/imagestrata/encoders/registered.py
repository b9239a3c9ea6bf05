"""Encoders that users register: functions of pictures that return vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImagestrataError, plural, warn
from ..provenance import code_of, fingerprint
from ..tables import from_elsewhere
from ..validate import check_int, check_text
from ..verbs import public
from ..wording import arg, kind_of, quote, verb
from .base import Encoder
from .resize import decode_side, resize

if TYPE_CHECKING:
    from PIL import Image

#: The group of entry points by which installed packages register encoders.
PLUGINS = "imagestrata.encoders"

#: Largest difference between the vectors of a picture that comes alone and of the same picture
#: among others, relative to the vector's length: rounding in bfloat16 leaves less.
_MOST_APART = 0.05

#: Numbers that identify the vectors of test pictures, and their precision: a thousandth of the
#: mean length of the vectors. Rounding changes vectors by a millionth.
_DIRECTIONS, _STEPS = 4, 1000


@dataclass(frozen=True, eq=False)
class Registered:
    """An encoder as it was registered."""

    name: str
    function: Callable[[NDArray[np.uint8]], Any]
    input_size: int
    batch_size: int
    version: str | None
    code: str | None
    width: int = 0

    def vectors(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the checked vectors of pictures, of shape (n, width)."""
        try:
            made = from_elsewhere(self.function(pictures))
        except Exception as error:
            error.add_note(f"This error was raised by the encoder {self.name!r} of your own.")
            raise
        return self._checked(made, len(pictures))

    def trial(self) -> tuple[int, str]:
        """Return the width of the vectors, and what identifies the encoder.

        These are its version, its code, the size of its pictures, and the vectors of test pictures.
        """
        vectors = self.vectors(trial_pictures(self.input_size))
        known = {"version": self.version, "code": self.code}
        parts = [f"{what} {value}" for what, value in known.items() if value is not None]
        parts += [f"{self.input_size} pixels", f"vectors of test pictures {_mark(vectors)}"]
        return vectors.shape[1], ", ".join(parts)

    def _checked(self, made: Any, n: int) -> NDArray[np.float32]:
        """Check that there is one row of numbers for each of n pictures."""
        what = f"The encoder {quote(self.name)}"
        try:
            vectors = np.asarray(made)
        except ValueError:  # rows of different lengths
            vectors = np.empty(0, dtype=object)
        if vectors.dtype.kind not in "biuf":
            raise ImagestrataError(
                f"{what} must return a matrix of numbers, one row per picture, not {kind_of(made)}."
            )
        if vectors.ndim != 2 or len(vectors) != n or not vectors.shape[1]:
            hint = "It must return one row of numbers for each picture, also for a single one."
            if vectors.ndim == 2 and vectors.shape[1] == n:
                hint += " Rows and columns seem to be exchanged."
            raise ImagestrataError(
                f"{what} received {plural(n, 'picture')} and returned {_shape(vectors)}.", hint
            )
        return vectors.astype(np.float32)


#: The encoders of this session, by their names.
_registered: dict[str, Registered] = {}


@public
def register_encoder(
    name: str,
    encode: Callable[[NDArray[np.uint8]], Any],
    *,
    input_size: int = 224,
    batch_size: int = 8,
    version: str | None = None,
) -> None:
    """Make an encoder of your own known by a name, for this session.

    Afterwards :func:`embed_images`, :func:`cluster_images` and all other functions with an argument
    ``encoder`` take its name, and :func:`list_encoders` lists it.

    Parameters
    ----------
    name : str
        Its name: letters, digits, ``_``, ``-`` and ``.``. The name of an encoder of the package is
        refused. An encoder that you registered before under the name is replaced.
    encode : callable
        A function, or any other object that can be called. It receives an array of n pictures, of
        shape (n, ``input_size``, ``input_size``, 3): rows, columns and the colours red, green and
        blue from 0 to 255 (uint8). It returns the n vectors, one per row: a matrix of finite
        numbers, or a tensor.
    input_size : int, default 224
        Width and height of the pictures in pixels. The argument ``resize`` of
        :func:`embed_images` decides how pictures are made square.
    batch_size : int, default 8
        Number of pictures that ``encode`` receives at once. The last batch may be smaller.
    version : str, optional
        A text that you change when the encoder changes. It is needed if Python does not know the
        source of ``encode``.

    Returns
    -------
    None

    Raises
    ------
    ImagestrataError
        If the name is taken or not valid; if ``encode`` does not return one row of finite numbers
        per picture, or returns other vectors for a picture that comes alone; or if there is
        neither a source nor a version.

    Notes
    -----
    *Changes are noticed.* Run folders record the version, a hash of the source of ``encode``
    (without comments), and a hash of the vectors of three test pictures, which are computed again
    in every call. If one of them differs, vectors are never taken from a run folder, and new
    images are never placed among the old ones; an error says what changed. A network with other
    weights gives other vectors of the test pictures, whatever its source. ``version`` is for
    changes that neither shows, such as a helper function that treats only some pictures otherwise.

    *Threads.* Pictures are decoded and resized in all threads. ``encode`` is called in your own
    thread, with one batch after the other, so it need not be safe for use in threads. It does not
    run on a cluster.

    *Later sessions.* Register the encoder again, with the same name and function, before you embed
    further images or repeat a call. Finished results are read without it.

    *Packages.* An installed package can register encoders for every program, also for the
    command line: its entry point in the group ``imagestrata.encoders`` names a function without
    arguments that calls ``register_encoder()``. See ``docs/encoders.md``.

    Examples
    --------
    >>> from imagestrata import list_encoders, register_encoder
    >>> def mean_colour(pictures):
    ...     return pictures.mean(axis=(1, 2))
    >>> register_encoder("mean_colour", mean_colour, input_size=32, version="1")
    >>> list_encoders().set_index("name").loc["mean_colour", ["input", "width"]].tolist()
    [32, 3]
    """
    register(name, encode, code_of(encode), input_size, batch_size, version)


def register(
    name: Any, encode: Any, code: str | None, input_size: Any, batch_size: Any, version: Any
) -> None:
    """Register an encoder whose code is known, see :func:`register_encoder`."""
    _check_new_name(name)
    if not callable(encode):
        raise ImagestrataError(
            f"{arg('encode')} must be a function of pictures that returns their vectors, not "
            f"{kind_of(encode)}."
        )
    version = check_text("version", version)
    if version is None and code is None:
        raise ImagestrataError(
            f"The source of {arg('encode')} is not known, so that a changed encoder could not be "
            "told from this one.",
            f"Give {arg('version')}, such as {arg('version', '1')}, and change it whenever the "
            "encoder changes.",
        )
    given = Registered(
        name,
        encode,
        check_int("input_size", input_size, minimum=1, maximum=4096),
        check_int("batch_size", batch_size, minimum=1),
        version,
        code,
    )
    _registered[name] = replace(given, width=_checked_width(given))


def registered(name: Any) -> Registered | None:
    """Return the encoder that was registered under a name, if there is one."""
    return _registered.get(name) if isinstance(name, str) else None


def all_registered() -> list[Registered]:
    """Return all registered encoders, those of installed packages among them."""
    load_plugins()
    return [*_registered.values()]


@cache
def load_plugins() -> None:
    """Let installed packages register their encoders, once per process."""
    for entry in entry_points(group=PLUGINS):
        try:
            entry.load()()
        except Exception as error:
            warn(
                f"The encoder {quote(entry.name)} of an installed package ({entry.value}) could "
                f"not be registered: {type(error).__name__}: {error}"
            )


class RegisteredEncoder(Encoder):
    """A registered encoder, as the package uses it.

    Parameters
    ----------
    name : str
    resize : str
        See :func:`imagestrata.encoders.resize.resize`.
    """

    in_turn = True

    def __init__(self, name: str, *, resize: str) -> None:
        own = _registered[name]
        self._own = own
        self.name = name
        self.width, identity = own.trial()
        self.settings = {
            "name": name,
            "width": self.width,
            "registered": identity,
            "resize": resize,
            "input_size": own.input_size,
        }
        self.decode_side = decode_side(resize, own.input_size)
        self.batch_size = own.batch_size

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the pixels of a square picture."""
        side = self._own.input_size
        return np.asarray(resize(image, self.settings["resize"], side, side))

    def encode(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return the vectors of a batch, of shape (n, width)."""
        vectors = self._own.vectors(np.stack(prepared))
        if vectors.shape[1] != self.width:
            raise ImagestrataError(
                f"The encoder {quote(self.name)} returned vectors of "
                f"{plural(vectors.shape[1], 'number')}, and of {self.width} before.",
                "It must return vectors of the same width for all pictures.",
            )
        return vectors


def check_as_before(settings: Mapping[str, Any]) -> None:
    """Refuse a registered encoder other than that of the settings of earlier embeddings."""
    name, then = settings["name"], settings["registered"]
    load_plugins()
    own = registered(name)
    if own is None:
        raise ImagestrataError(
            f"The embeddings were made with the encoder {quote(name)}, which is not registered in "
            "this session.",
            f"Register it with {verb('register_encoder')}, as it was then ({then}). Finished "
            "results can be read without it; new images cannot be embedded.",
        )
    _, now = own.trial()
    if now != then:
        raise ImagestrataError(
            f"The encoder {quote(name)} has changed since the embeddings were made: it was {then}; "
            f"now it is {now}.",
            f"Vectors of the two are not comparable. Register the earlier encoder, or embed all "
            f"images again with {arg('overwrite', True)}.",
        )


def trial_pictures(side: int) -> NDArray[np.uint8]:
    """Return three pictures that are the same on every machine: slopes, fields and rings."""
    y, x = np.mgrid[:side, :side] * 256 // side
    fields = (x // 32 + y // 32) % 2 * 160
    rings = ((x - 128) ** 2 + (y - 128) ** 2) // 32 % 256
    pictures = [(x, y, 255 - x), (fields + 60, 220 - fields, y), (rings, 255 - rings, x // 2)]
    return np.stack([np.stack(one, axis=-1) for one in pictures]).astype(np.uint8)


def _shape(array: NDArray[Any]) -> str:
    """Describe the shape of an array."""
    if array.ndim == 2:
        return f"a matrix of {array.shape[0]:,} rows and {plural(array.shape[1], 'column')}"
    if array.ndim < 2:
        return f"{plural(array.size, 'number')} without rows and columns"
    return f"an array of {array.ndim} dimensions"


def _mark(vectors: NDArray[np.float32]) -> str:
    """Return a hash of vectors that does not depend on rounding."""
    rows = vectors.astype(np.float64)
    scale = float(np.linalg.norm(rows, axis=1).mean())
    if not np.isfinite(scale) or not scale:
        return fingerprint([str(scale), rows.shape])[:12]
    signs = np.random.RandomState(0).randint(0, 2, (rows.shape[1], _DIRECTIONS)) * 2 - 1
    shown = rows @ signs / np.sqrt(rows.shape[1]) / scale
    numbers = [*shown.ravel(), np.log(scale)]
    return fingerprint([rows.shape[1], [round(float(one) * _STEPS) for one in numbers]])[:12]


def _check_new_name(name: Any) -> None:
    from .registry import ENCODERS, TOGETHER

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ImagestrataError(
            f"{arg('name')} must consist of letters, digits, '_', '-' and '.', not {quote(name)}."
        )
    from .cnn import torchvision_names

    if name in (*ENCODERS, TOGETHER, *torchvision_names()):
        raise ImagestrataError(
            f"{quote(name)} is the name of an encoder of the package.", "Choose another name."
        )


def _checked_width(own: Registered) -> int:
    """Return the width of the vectors, which are checked for test pictures together and alone."""
    pictures = trial_pictures(own.input_size)
    together = own.vectors(pictures)
    alone = [own.vectors(pictures[[row]]) for row in reversed(range(len(pictures)))][::-1]
    for row, one in enumerate(alone):
        if one.shape[1] != together.shape[1]:
            raise ImagestrataError(
                f"The encoder {quote(own.name)} returned vectors of {one.shape[1]} and of "
                f"{plural(together.shape[1], 'number')}.",
                "It must return vectors of the same width for all pictures.",
            )
        if not (np.isfinite(one).all() and np.isfinite(together[row]).all()):
            raise ImagestrataError(
                f"The encoder {quote(own.name)} returned NaN or infinite numbers for a test "
                "picture.",
                "It must return finite numbers for every picture. Leave out images of which it can "
                "make nothing.",
            )
        apart = float(np.linalg.norm(one[0] - together[row]))
        length = float(max(np.linalg.norm(one[0]), np.linalg.norm(together[row])))
        if apart > _MOST_APART * length:
            raise ImagestrataError(
                f"The encoder {quote(own.name)} returned other vectors for a picture that came "
                f"alone than for the same picture among others (by {apart / length:.0%} of their "
                "length).",
                "A vector must depend on its picture alone. Switch off dropout and random changes "
                "of pictures (in torch, call model.eval()), and do not standardise over a batch.",
            )
    return int(together.shape[1])
