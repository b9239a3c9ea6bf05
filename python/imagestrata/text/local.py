"""A vision language model on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ImagestrataError, MissingWeightsError
from ..extras import require
from ..files import hash_of_files
from ..validate import expand_home
from ..wording import quote
from .server import Usage

if TYPE_CHECKING:
    from PIL import Image

#: Tokens that a local model answers at most where nothing else limits it.
_LONGEST = 4096


@dataclass(frozen=True)
class LocalModel:
    """A vision language model that runs on this machine, by the library transformers.

    Attributes
    ----------
    model : str or path
        The folder of the model; or its name on the Hugging Face hub, from where the
        library downloads it once. It must be one for images and text, with a chat
        template: LLaVA, Qwen-VL, SmolVLM, ...
    device : str
        Where it computes: ``"auto"`` (the default) takes a GPU if there is one.
        Without a GPU, an image takes minutes rather than seconds.

    Examples
    --------
    >>> from imagestrata import LocalModel
    >>> LocalModel("models/smolvlm").is_local
    True
    """

    model: str | os.PathLike[str]
    device: str = "auto"

    #: What a :class:`ModelServer` has as well: nothing is sent, nothing is paid.
    price = None
    tokens_per_image = 0
    concurrency = 1
    host = "this machine"
    is_local = True

    def cost(self, tokens_in: int, tokens_out: int) -> None:
        """Nothing."""

    def identity(self) -> dict[str, Any]:
        """What tells its answers from those of other models: not where it lies."""
        folder = expand_home(self.model)
        if not folder.is_dir():
            return {"model": str(self.model), "weights_sha256": None}
        files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
        if not files:
            raise MissingWeightsError(
                f"There are no weights in {quote(folder)}.",
                "Give the folder that save_pretrained() writes, or that a download unpacks to.",
            )
        sha256 = hash_of_files(files)
        return {"model": folder.resolve().name, "weights_sha256": sha256}


class LocalDescriber:
    """A loaded model that answers one prompt for pictures, one after the other.

    Parameters
    ----------
    provider : LocalModel
    prompt : str
    max_tokens : int or None
        None sets no limit but 4,096, which keeps a model that repeats itself from
        going on for ever.
    temperature : float or None
        None and 0 take the likeliest word at every step.
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
            # A model never brings code: the library would ask on the terminal whether to run it.
            given = {"local_files_only": local, "trust_remote_code": False}
            self._processor = library.AutoProcessor.from_pretrained(name, **given)
            model = library.AutoModelForImageTextToText.from_pretrained(name, **given)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise MissingWeightsError(
                f"The model {quote(name)} could not be loaded ({reason}).",
                "It must be a model for images and text, in the form that save_pretrained() "
                "writes; without a network, copy its folder from another machine.",
            ) from None
        if not getattr(self._processor, "chat_template", None):
            raise ImagestrataError(
                f"The model {quote(name)} has no chat template: it cannot be asked.",
                "Choose one that was trained to follow instructions.",
            )
        self._model = model.eval().to(pick_device(provider.device))
        self._prompt = prompt
        self._options: dict[str, Any] = {
            "max_new_tokens": max_tokens or _LONGEST,
            "do_sample": False,
        }
        if temperature:
            self._options |= {"do_sample": True, "temperature": temperature}

    def ask(self, picture: Image.Image) -> tuple[str, bool, Usage]:
        """The answer for a picture, whether it was cut off, and the tokens it took."""
        import torch

        content = [{"type": "image", "image": picture}, {"type": "text", "text": self._prompt}]
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
        text: str = self._processor.decode(answered, skip_special_tokens=True)
        cut_off = len(answered) == self._options["max_new_tokens"]
        return text, cut_off, Usage(asked, len(answered))
