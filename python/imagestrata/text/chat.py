"""Ask a model with the chat interface about pictures, and read what it says."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..corpus.pictures import plain_jpeg
from ..errors import ImagestrataError
from ..validate import check_float, check_int
from ..wording import arg, kind_of, quote, verb
from .answers import Answers
from .local import LocalModel
from .server import ModelServer, Usage

if TYPE_CHECKING:
    from PIL import Image

Provider: TypeAlias = ModelServer | LocalModel

#: Reasons for a missing or incomplete description although the request succeeded.
EMPTY = "empty answer"
CUT_OFF = "cut off at max_tokens"
CUT_BY_MODEL = "cut off at the model's own limit"

#: The assumed length of an answer without a limit, in tokens.
_UNLIMITED = 1000

_JPEG_QUALITY = 85

#: Short answers that begin with these words are refusals.
_REFUSAL = re.compile(
    r"(i['’]?m|i am) (very |really |so )?(sorry|unable|not able)|(my )?(sorry|apologies)\b|"
    r"i (apologi[sz]e|can ?not|can['’]?t|won['’]?t|will not|do not feel)\b|unfortunately,? i\b",
    re.IGNORECASE,
)
_LONGEST_REFUSAL = 400


def check_provider(name: str, provider: Any) -> Provider:
    """Check that a model can answer about pictures."""
    if not isinstance(provider, ModelServer | LocalModel):
        raise ImagestrataError(
            f"{arg(name)} must be a {verb('ModelServer')} or a {verb('LocalModel')}, not "
            f"{kind_of(provider)}.",
            f"For instance {verb('ModelServer', 'gpt-4o-mini')}, or, on your own machine, "
            f"{verb('ModelServer', 'llava', 'http://localhost:11434/v1')}.",
        )
    return provider


def check_limits(max_tokens: Any, temperature: Any, side: Any) -> dict[str, Any]:
    """The checked settings of a request that are not its words."""
    if temperature is not None:
        temperature = check_float("temperature", temperature, minimum=0)
    return {
        "max_tokens": None
        if max_tokens is None
        else check_int("max_tokens", max_tokens, minimum=1),
        "temperature": temperature,
        "side": check_int("side", side, minimum=32, maximum=4096),
    }


def check_budget(budget: Any, provider: Provider, max_tokens: int | None) -> float | None:
    """Check that a budget can be kept."""
    if budget is None:
        return None
    if max_tokens is None:
        raise ImagestrataError(
            f"{arg('budget')} is {quote(budget)}, but the length of answers is not limited.",
            f"Limit it, for instance by {arg('max_tokens', 1000)}.",
        )
    if provider.price is None:
        raise ImagestrataError(
            f"{arg('budget')} is {quote(budget)}, but the price of tokens is unknown.",
            f"Give the provider's {arg('price')} of a million tokens, sent and answered.",
        )
    return check_float("budget", budget, minimum=0)


def most_tokens_in(provider: Provider, settings: Mapping[str, Any], answers: Answers) -> int:
    """The most tokens sent for one item: the most billed so far, otherwise an estimate."""
    billed = [answer.get("tokens_in") or 0 for answer in answers.found.values()]
    # A token is about four letters of English, and at least one character of any script.
    n_pictures = settings.get("pictures", 1)
    estimate = n_pictures * provider.tokens_per_image + len(settings["prompt"])
    return max(billed, default=0) or estimate


def most_tokens_out(settings: Mapping[str, Any], answers: Answers) -> int:
    """The most tokens answered for one item; an estimate if they are not limited."""
    if settings["max_tokens"] is not None:
        return int(settings["max_tokens"])
    billed = [answer.get("tokens_out") or 0 for answer in answers.found.values()]
    return max(billed, default=0) or _UNLIMITED


def model_costs(
    provider: Provider,
    settings: Mapping[str, Any],
    n_images: int,
    n_answered: int,
    answers: Answers,
) -> dict[str, Any]:
    """The row of :func:`costs` for a model."""
    rest = n_images - n_answered
    tokens_in = rest * most_tokens_in(provider, settings, answers)
    tokens_out = rest * most_tokens_out(settings, answers)
    cost = provider.cost(tokens_in, tokens_out)
    return {
        "n_images": n_images,
        "n_answered": n_answered,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "cost": float("nan") if cost is None else cost,
        "spent": float("nan") if cost is None else answers.spent,
    }


def data_url(picture: Image.Image) -> str:
    """A picture as the data URL of a JPEG without metadata."""
    data = plain_jpeg(picture, _JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def chat_request(
    pictures: Sequence[Image.Image], settings: Mapping[str, Any], server: ModelServer
) -> dict[str, Any]:
    """The request about pictures, with the prompt and the limits of ``settings``."""
    # OpenAI's newer models accept only the new name, most other servers only the old one.
    limit = "max_completion_tokens" if server.host == "api.openai.com" else "max_tokens"
    content = [
        {"type": "text", "text": settings["prompt"]},
        *({"type": "image_url", "image_url": {"url": data_url(one)}} for one in pictures),
    ]
    request = {
        "model": settings["model"],
        "messages": [{"role": "user", "content": content}],
    }
    if settings["max_tokens"] is not None:
        request[limit] = settings["max_tokens"]
    if settings["temperature"] is not None:
        request["temperature"] = settings["temperature"]
    return request


def read_chat(response: Any, cut: str) -> tuple[dict[str, Any], Usage | None]:
    """The fields of an answer of the chat interface, and its tokens."""
    choice = response.choices[0]
    text = choice.message.content or ""
    usage = Usage.reported(
        getattr(response.usage, "prompt_tokens", None),
        getattr(response.usage, "completion_tokens", None),
        has_text=bool(text),
    )
    refusal = getattr(choice.message, "refusal", None)
    if choice.finish_reason == "content_filter":
        refusal = refusal or text or "content filter"
    reason = cut if choice.finish_reason == "length" else None
    model = None if response.model is None else str(response.model)
    return interpret(text, refusal, reason, model), usage


def interpret(
    text: str, refusal: str | None, reason: str | None, model: str | None
) -> dict[str, Any]:
    """The fields of an answer: a description, unless the text is empty or a refusal."""
    text = text.strip()
    if refusal is None and len(text) <= _LONGEST_REFUSAL and _REFUSAL.match(text):
        refusal = text
    if refusal is not None:
        return answer_of(None, f"refused: {' '.join(refusal.split())[:200]}", model)
    if not text:
        return answer_of(None, EMPTY, model)
    return answer_of(text, reason, model)


def answer_of(description: str | None, reason: str | None, model: str | None) -> dict[str, Any]:
    """The fields of an answer."""
    return {"description": description, "reason": reason, "model": model}
