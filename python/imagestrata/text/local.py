"""Ask a vision language model on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError, MissingWeightsError, first_line
from ..extras import require
from ..files import hash_of_files
from ..validate import expand_home
from ..wording import quote
from .server import Usage

if TYPE_CHECKING:
    from PIL import Image

#: The most tokens of an answer of a local model without another limit.
_LONGEST = 4096


@dataclass(frozen=True)
class LocalModel:
    """A vision language model that runs on this machine with the library transformers.

    Attributes
    ----------
    model : str or path
        The folder of the model, or its name on the Hugging Face hub, from which the library
        downloads it once. The model must take images and text and have a chat template: LLaVA,
        Qwen-VL, SmolVLM, ...
    device : str
        The device: ``"auto"`` (the default) uses a GPU if there is one. Without a GPU, an image
        takes minutes instead of seconds.

    Examples
    --------
    >>> from imagestrata import LocalModel
    >>> LocalModel("models/smolvlm").is_local
    True
    """

    model: str | os.PathLike[str]
    device: str = "auto"

    #: Attributes of a :class:`ModelServer`: here nothing is sent and nothing is paid.
    price = None
    tokens_per_image = 0
    concurrency = 1
    host = "this machine"
    is_local = True

    def cost(self, tokens_in: int, tokens_out: int) -> None:
        """Cost of tokens: None, since a local model has no price."""

    def identity(self) -> dict[str, Any]:
        """The settings that identify its answers. The location of the folder is not among them."""
        folder = expand_home(self.model)
        if not folder.is_dir():
            return {"model": str(self.model), "weights_sha256": None}
        files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
        if not files:
            raise MissingWeightsError(
                f"{quote(folder)} contains no weights.",
                "Give the folder that save_pretrained() writes, or that a download unpacks to.",
            )
        sha256 = hash_of_files(files)
        return {"model": folder.resolve().name, "weights_sha256": sha256}


class LocalDescriber:
    """A loaded model that answers one prompt about one or several pictures at a time.

    Parameters
    ----------
    provider : LocalModel
    prompt : str
    max_tokens : int or None
        None means 4,096, since a model that repeats itself would never end.
    temperature : float or None
        None and 0 choose the likeliest token at every step.
    """

    def __init__(
        self, provider: LocalModel, prompt: str, max_tokens: int | None, temperature: float | None
    ) -> None:
        library = require("transformers", "text", "A local model")
        from ..encoders.inference import pick_device

        place = expand_home(provider.model)
        local = place.is_dir()
        name = str(place if local else provider.model)
        try:
            # Code in a model is never run: the library would ask on the terminal.
            given = {"local_files_only": local, "trust_remote_code": False}
            self._processor = library.AutoProcessor.from_pretrained(name, **given)
            model = library.AutoModelForImageTextToText.from_pretrained(name, **given)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise MissingWeightsError(
                f"The model {quote(name)} could not be loaded ({first_line(error)}).",
                "Give a model for images and text, in the form that save_pretrained() writes. "
                "Without a network, copy its folder from another machine.",
            ) from None
        if not getattr(self._processor, "chat_template", None):
            raise ImagestrataError(
                f"The model {quote(name)} has no chat template, so that it cannot answer a prompt.",
                "Choose a model that was trained to follow instructions.",
            )
        self._model = model.eval().to(pick_device(provider.device))
        self._prompt = prompt
        longest = max_tokens or _LONGEST
        self._options: dict[str, Any] = {"max_new_tokens": longest, "do_sample": bool(temperature)}
        self._options |= {"temperature": temperature} if temperature else {}

    def ask(
        self, pictures: Sequence[Image.Image], prompt: str | None = None
    ) -> tuple[str, bool, Usage]:
        """The answer about pictures, whether it is cut off, and its tokens.

        A ``prompt`` replaces that of all pictures.
        """
        import torch

        text = prompt or self._prompt
        content = [{"type": "image", "image": one} for one in pictures]
        content.append({"type": "text", "text": text})
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device, dtype=self._model.dtype)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, **self._options)
        asked = inputs["input_ids"].shape[1]
        answered = tokens[0, asked:]
        answer: str = self._processor.decode(answered, skip_special_tokens=True)
        cut_off = len(answered) == self._options["max_new_tokens"]
        return answer, cut_off, Usage(asked, len(answered))
