"""Weights of networks: found, downloaded once, read and checked. Never made up."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ImagestrataError, MissingWeightsError, plural
from ..files import file_hash, hash_of_files, write_bytes
from ..validate import check_path, expand_home
from ..wording import arg, kind_of, quote

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Where a server that does not answer is given up, in seconds.
TIMEOUT = 20

_NEED_NOTHING = (
    f"{arg('encoder', 'pocket')} brings its own, {arg('encoder', 'bovw')} and "
    f"{arg('encoder', 'hog')} need none."
)

#: Key of safetensors' metadata: how pictures must look follows from it.
_ORIGIN = "published"

#: Checkpoints often keep the weights under one of these names, beside an optimizer and the like.
_WRAPPERS = ("state_dict", "model_state_dict", "model")

#: What a file of weights may be called.
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")

#: The names under which libraries store a model in a folder, the best to read first.
_FILES_OF_WHOLE_MODELS = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def checkpoint_folder() -> Path:
    """Torch's own folder of downloaded weights, told without importing torch.

    For users without a home, a folder among the temporary files.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))  # noqa: PTH118
    folder = expand_home(home)
    if folder.parts[:1] == ("~",):
        folder = Path(tempfile.gettempdir(), f"torch-{os.getuid()}")
    return folder / "hub" / "checkpoints"


def file_name(url: str) -> str:
    """The name under which torch keeps what it downloads from ``url``."""
    return Path(urlsplit(url).path).name


def given_weights(path: Path) -> Path:
    """A weights file that the user names, if it exists."""
    if path.is_file():
        return path
    seen = "is a folder" if path.is_dir() else "does not exist"
    raise MissingWeightsError(
        f"The weights file {quote(path)} {seen}.",
        f"Give the path of a .pth, .pt or .safetensors file as {arg('weights')}; {_NEED_NOTHING}",
    )


def names_a_path(weights: str | os.PathLike[str]) -> bool:
    """Whether that is meant as a file or folder, rather than as the name of published weights."""
    path = check_path("weights", weights)
    return path.exists() or path.is_absolute() or path.suffix in _SUFFIXES


def weights_in(path: Path) -> Path:
    """The file of weights that a path means: itself, or the one in that folder."""
    if not path.is_dir():
        return given_weights(path)
    found = [path / name for name in _FILES_OF_WHOLE_MODELS if (path / name).is_file()]
    found = found or sorted(path.glob("*.safetensors"))
    if not found:
        raise MissingWeightsError(
            f"There are no weights in the folder {quote(path)}.",
            f"Expected is one of {', '.join(_FILES_OF_WHOLE_MODELS)}.",
        )
    return found[0]


def weights_hash(path: Path) -> str:
    """SHA-256 of a file of weights; of a folder, that of the hashes of all its weights."""
    if path.is_file():
        return file_hash(path)
    files = sorted(path.glob("*.safetensors")) or sorted(path.glob("*.bin"))
    if not files:
        weights_in(path)  # says what is missing
    if len(files) == 1:
        return file_hash(files[0])
    return hash_of_files(files)


def hub_weights(name: str, repository: str, files: Sequence[str]) -> Path:
    """The first of ``files`` that a repository of the Hugging Face hub has.

    From the library's own cache, else downloaded there, unless ``HF_HUB_OFFLINE`` says not to.

    Raises
    ------
    MissingWeightsError
        If none is in the cache and none can be downloaded.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for file in files:
        kept = _in_hub_cache(repository, file)
        if kept is not None:
            return kept
    reason: Exception | None = None
    for file in files:
        try:
            return Path(hf_hub_download(repository, file))
        except LocalEntryNotFoundError as error:
            reason = error  # no network, or told to stay offline: others will not do better
            break
        except EntryNotFoundError as error:
            reason = error
        except (OSError, ValueError) as error:
            reason = error
            break
    raise missing_on_hub(name, repository, reason)


def missing_on_hub(name: str, repository: str, reason: Exception | None) -> MissingWeightsError:
    """What to say if a repository of the Hugging Face hub is neither here nor to be had."""
    why = str(reason).strip().splitlines()[0][:200] if str(reason).strip() else repr(reason)
    return MissingWeightsError(
        f"The encoder {quote(name)} needs the weights of {quote(repository)}, which are not in "
        f"the cache of the Hugging Face hub, and could not be downloaded ({why}).",
        f"Download https://huggingface.co/{repository} (its weights and its .json files) on a "
        f"machine with a network, and give the folder that holds them as {arg('weights')}. "
        f"Without any weights: {_NEED_NOTHING}",
    )


def on_hub_cache(repository: str) -> bool:
    """Whether some weights of a repository are in the cache of the Hugging Face hub."""
    return any(_in_hub_cache(repository, file) for file in _FILES_OF_WHOLE_MODELS)


def _in_hub_cache(repository: str, file: str) -> Path | None:
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    kept = try_to_load_from_cache(repository, file)
    return Path(kept) if isinstance(kept, str) else None


def published_weights(name: str, url: str) -> Path:
    """The published weights of the network ``name``: from torch's cache, else downloaded there.

    Raises
    ------
    MissingWeightsError
        If they are not in the cache and cannot be downloaded.
    ImagestrataError
        If the file has not the hash that its name promises.
    """
    path = checkpoint_folder() / file_name(url)
    if not path.is_file():
        _download(name, url, path)
    promised = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if promised and not file_hash(path).startswith(promised.group(1)):
        raise ImagestrataError(
            f"{quote(path)} is damaged: its SHA-256 does not begin with {promised.group(1)}, as "
            "its name promises.",
            "Delete it; it is downloaded anew, or can be copied from another machine.",
        )
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Named tensors of a .pth, .pt or .safetensors file, which can run no code of its own."""
    try:
        content = _load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    except (ImagestrataError, MemoryError):
        raise
    except Exception as error:
        # Readers raise whatever the bytes lead to: EOFError, RuntimeError, UnpicklingError, ...
        raise ImagestrataError(
            f"{quote(path)} is damaged, or is no file of weights ({kind_of(error)}).",
            "Expected is what torch.save(model.state_dict(), file) writes, or safetensors. "
            "If it was copied or downloaded, compare its size with the original.",
        ) from None
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return {_plain_key(key): tensor for key, tensor in _tensors(path, content)}


def write_weights(path: Path, weights: Mapping[str, Tensor], *, descended_from: str) -> None:
    """Store weights as safetensors, with the name of the published ones that they descend from."""
    from safetensors.torch import save

    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    write_bytes(path, save(plain, {_ORIGIN: descended_from}))


def descended_from(weights: str | os.PathLike[str]) -> str | None:
    """The published weights that :func:`write_weights` noted in a file, if it is one of its."""
    from safetensors import SafetensorError, safe_open

    path = check_path("weights", weights)
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(_ORIGIN)
    except (SafetensorError, OSError):
        return None  # whoever reads the weights says what is wrong with them


def fill(model: nn.Module, weights: dict[str, Tensor], path: Path, name: str) -> None:
    """Put weights into a network, or say how the two differ; nothing is left as it was built."""
    wanted = model.state_dict()
    needed = [key for key in wanted if not key.endswith("num_batches_tracked")]
    missing = [key for key in needed if key not in weights]
    unknown = [key for key in weights if key not in wanted]
    reshaped = [key for key in needed if key in weights and weights[key].shape != wanted[key].shape]
    if missing or unknown or reshaped:
        groups = (("missing", missing), ("unknown", unknown), ("of another shape", reshaped))
        found = "; ".join(f"{len(keys)} {what} ({keys[0]})" for what, keys in groups if keys)
        raise ImagestrataError(
            f"{quote(path)} does not hold the weights of {name}: of "
            f"{plural(len(needed), 'tensor')}, {found}.",
            "Name the encoder that these weights were made for.",
        )
    # Starting from the network's own dictionary keeps its version marks.
    for key in needed:
        wanted[key] = weights[key]
    model.load_state_dict(wanted)


def _download(name: str, url: str, path: Path) -> None:
    from torch import hub

    promised = re.search(r"-([0-9a-f]{8,})\.", path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _impatient():
            hub.download_url_to_file(
                url,
                str(path),
                hash_prefix=promised.group(1) if promised else None,
                progress=sys.stderr.isatty(),
            )
    except (OSError, RuntimeError) as error:
        # No network, no such file, no permission, no space, or a hash that does not fit.
        raise MissingWeightsError(
            f"The encoder {quote(name)} needs its weights, {quote(path.name)}: they are not in "
            f"{quote(path.parent)}, and could not be downloaded ({error}).",
            f"Download {url} on a machine with a network and put it into that folder, or give its "
            f"path as {arg('weights')}. Without any weights: {_NEED_NOTHING}",
        ) from None


@contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load_torch(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _load_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _tensors(path: Path, content: Any) -> list[tuple[str, Tensor]]:
    import torch

    if isinstance(content, dict) and content:
        entries = list(content.items())
        if all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in entries):
            return entries
    raise ImagestrataError(
        f"{quote(path)} holds {kind_of(content)} data, not named tensors.",
        "Expected is what torch.save(model.state_dict(), file) writes.",
    )


def _plain_key(key: str) -> str:
    """The name of a tensor without what DataParallel and old DenseNet files put into it."""
    key = key.removeprefix("module.")
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)
