"""Find, download, read and check the weights of networks. Weights are never random."""

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

#: Time after which a server that does not answer counts as unreachable, in seconds.
TIMEOUT = 20

_NEED_NOTHING = (
    f"{arg('encoder', 'efficientnet_lite0')} includes its own weights, "
    f"{arg('encoder', 'bovw')} and {arg('encoder', 'hog')} need none."
)

#: Key in safetensors' metadata for the published weights, which determine the preparation.
_ORIGIN = "published"

#: Checkpoints often store the weights under one of these names, next to an optimizer's state.
_WRAPPERS = ("state_dict", "model_state_dict", "model")

#: File name extensions of weights.
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")

#: Names of weights in a folder of a library's model, in order of preference.
_FILES_OF_WHOLE_MODELS = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def checkpoint_folder() -> Path:
    """Return torch's own folder of downloaded weights without importing torch.

    Users without a home directory get a folder among the temporary files.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))  # noqa: PTH118
    folder = expand_home(home)
    if folder.parts[:1] == ("~",):
        user = getattr(os, "getuid", str)()  # Windows has no numbers of users
        folder = Path(tempfile.gettempdir(), f"torch-{user}")
    return folder / "hub" / "checkpoints"


def file_name(url: str) -> str:
    """Return the name under which torch stores a download from ``url``."""
    return Path(urlsplit(url).path).name


def given_weights(path: Path) -> Path:
    """Return the path of a weights file that the user named, if it exists."""
    if path.is_file():
        return path
    seen = "is a folder" if path.is_dir() else "does not exist"
    raise MissingWeightsError(
        f"The weights file {quote(path)} {seen}.",
        f"Give the path of a .pth, .pt or .safetensors file as {arg('weights')}; {_NEED_NOTHING}",
    )


def names_a_path(weights: str | os.PathLike[str]) -> bool:
    """Return whether the argument is a file or folder, not the name of published weights."""
    path = check_path("weights", weights)
    return path.exists() or path.is_absolute() or path.suffix in _SUFFIXES


def weights_in(path: Path) -> Path:
    """Return the file of weights at a path: the path itself, or the file in that folder."""
    if not path.is_dir():
        return given_weights(path)
    found = [path / name for name in _FILES_OF_WHOLE_MODELS if (path / name).is_file()]
    found = found or sorted(path.glob("*.safetensors"))
    if not found:
        raise MissingWeightsError(
            f"There are no weights in the folder {quote(path)}.",
            f"It should contain one of {', '.join(_FILES_OF_WHOLE_MODELS)}.",
        )
    return found[0]


def weights_hash(path: Path) -> str:
    """Return the SHA-256 of a file of weights, or of the hashes of all weights in a folder."""
    if path.is_file():
        return file_hash(path)
    files = sorted(path.glob("*.safetensors")) or sorted(path.glob("*.bin"))
    if not files:
        weights_in(path)  # reports what is missing
    if len(files) == 1:
        return file_hash(files[0])
    return hash_of_files(files)


def hub_weights(name: str, repository: str, files: Sequence[str]) -> Path:
    """Return the first of ``files`` that a repository of the Hugging Face hub contains.

    It comes from the library's cache, or is downloaded unless ``HF_HUB_OFFLINE`` is set.

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
            reason = error  # no network, or offline mode: other files would fail as well
            break
        except EntryNotFoundError as error:
            reason = error
        except (OSError, ValueError) as error:
            reason = error
            break
    raise missing_on_hub(name, repository, reason)


def missing_on_hub(name: str, repository: str, reason: Exception | None) -> MissingWeightsError:
    """Return the error for a repository of the hub that is not cached and not downloadable."""
    why = str(reason).strip().splitlines()[0][:200] if str(reason).strip() else repr(reason)
    return MissingWeightsError(
        f"The encoder {quote(name)} needs the weights of {quote(repository)}, which are not in "
        f"the cache of the Hugging Face hub, and could not be downloaded ({why}).",
        f"Download https://huggingface.co/{repository} (its weights and its .json files) on a "
        f"machine with internet access, and give their folder as {arg('weights')}. "
        f"Without any weights: {_NEED_NOTHING}",
    )


def on_hub_cache(repository: str) -> bool:
    """Return whether weights of a repository are in the cache of the Hugging Face hub."""
    return any(_in_hub_cache(repository, file) for file in _FILES_OF_WHOLE_MODELS)


def _in_hub_cache(repository: str, file: str) -> Path | None:
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    kept = try_to_load_from_cache(repository, file)
    return Path(kept) if isinstance(kept, str) else None


def published_weights(name: str, url: str) -> Path:
    """Return the file of published weights of a network, from torch's cache or downloaded.

    Raises
    ------
    MissingWeightsError
        If they are not in the cache and cannot be downloaded.
    ImagestrataError
        If the hash of the file is not the one in its name.
    """
    path = checkpoint_folder() / file_name(url)
    if not path.is_file():
        _download(name, url, path)
    promised = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if promised and not file_hash(path).startswith(promised.group(1)):
        raise ImagestrataError(
            f"{quote(path)} is damaged: its SHA-256 does not begin with {promised.group(1)}, the "
            "hash in its name.",
            "Delete it. It is downloaded again, or you can copy it from another machine.",
        )
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a .pth, .pt or .safetensors file without running its code."""
    try:
        content = _load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    except (ImagestrataError, MemoryError):
        raise
    except Exception as error:
        # Damaged bytes raise many types of errors: EOFError, RuntimeError, UnpicklingError, ...
        raise ImagestrataError(
            f"{quote(path)} is damaged, or is not a file of weights ({kind_of(error)}).",
            "Give a file that torch.save(model.state_dict(), file) writes, or safetensors. "
            "If it was copied or downloaded, compare its size with the original.",
        ) from None
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return {_plain_key(key): tensor for key, tensor in _tensors(path, content)}


def write_weights(path: Path, weights: Mapping[str, Tensor], *, descended_from: str) -> None:
    """Store weights as safetensors, with the name of the published weights they started from."""
    from safetensors.torch import save

    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    write_bytes(path, save(plain, {_ORIGIN: descended_from}))


def descended_from(weights: str | os.PathLike[str]) -> str | None:
    """Return the name of published weights that :func:`write_weights` stored in a file."""
    from safetensors import SafetensorError, safe_open

    path = check_path("weights", weights)
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(_ORIGIN)
    except (SafetensorError, OSError):
        return None  # reading the weights reports the error


def check_same_weights(settings: Mapping[str, Any], now: str | None, where: Any) -> None:
    """Refuse weights other than those of the settings of earlier embeddings, by their hash."""
    then = settings.get("weights_sha256")
    if then != now:
        raise ImagestrataError(
            f"The embeddings were made with weights whose SHA-256 begins with {str(then)[:12]}; "
            f"those in {quote(where or 'the package')} begin with {str(now)[:12]}.",
            f"Give the same weights file as {arg('weights')}.",
        )


def fill(model: nn.Module, weights: dict[str, Tensor], path: Path, name: str) -> None:
    """Load weights into a network, all of which are replaced, or report how the two differ."""
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
            "Name the encoder that these weights belong to.",
        )
    # The network's own dictionary keeps its version metadata.
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
        # No network, no such file, no permission, no space, or a wrong hash.
        raise MissingWeightsError(
            f"The encoder {quote(name)} needs its weights, {quote(path.name)}: they are not in "
            f"{quote(path.parent)}, and could not be downloaded ({error}).",
            f"Download {url} on a machine with internet access and put it into that folder, or "
            f"give its path as {arg('weights')}. Without any weights: {_NEED_NOTHING}",
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
        f"{quote(path)} contains {kind_of(content)} data, not named tensors.",
        "Give a file that torch.save(model.state_dict(), file) writes.",
    )


def _plain_key(key: str) -> str:
    """Return the name of a tensor without additions of DataParallel and old DenseNet files."""
    key = key.removeprefix("module.")
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)
