"""Ask a server with the OpenAI interface, within limits on rate and cost."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ..errors import ImagestrataError
from ..extras import require
from ..validate import check_address, check_float, check_int
from ..wording import arg, quote
from ..work import ItemError, Stopped
from .http import LOCAL_HOSTS, Client, UnusableAnswer

#: The only host that receives OPENAI_API_KEY.
_OPENAI = "api.openai.com"

#: Statuses after which a server may answer later: timeout, conflict, too early, too many requests.
_LATER = {408, 409, 425, 429}

#: Statuses that every further request would receive: wrong key, permission, model or address.
_NEVER = {401, 402, 403, 404}

#: The beginnings of error codes of content filters, of Azure and of OpenAI.
_FILTERS = ("content_filter", "content_policy")

#: The largest plausible number of tokens of a request: ten times the limit of any model.
_MOST_TOKENS = 10**8

#: The number of first characters that distinguish a key from other words.
_TELLING = 6

#: The shortest and the longest pause between attempts, in seconds; each is twice the one before.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0


class Secret:
    """A text that is never displayed: not when printed, nor among fields, nor in files.

    Parameters
    ----------
    text : str
    """

    __slots__ = ("reveal",)

    def __init__(self, text: str) -> None:
        #: Returns the text. A closure, since printing the fields of an object does not show it.
        self.reveal: Callable[[], str] = lambda: text

    def __repr__(self) -> str:
        return "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> Any:
        raise ImagestrataError(
            "A key is never written to files or sent to other processes.",
            "Create the ModelServer in the process that uses it.",
        )


@dataclass(frozen=True)
class ModelServer:
    """A model behind the OpenAI interface: OpenAI itself, or Ollama, vLLM, LM Studio, ...

    Requests go only to ``base_url``: a redirect is an error, and requests to this machine never use
    a proxy. Servers other than OpenAI receive no settings or keys for OpenAI from the environment.

    Attributes
    ----------
    model : str
        The name of the model on the server.
    base_url : str
        The address of the server; ``"http://localhost:11434/v1"`` is an Ollama on your machine.
        Default: OpenAI.
    api_key : str or None
        The key of the service. By default the environment variable OPENAI_API_KEY, which is sent
        only to OpenAI. A key is kept as a :class:`Secret`, and is never stored or displayed.
    price : (float, float) or None
        The price of a million tokens, sent and answered, in any currency. Look it up with the
        provider; without it, costs are reported in tokens only.
    tokens_per_image : int
        The tokens that are billed for a picture, for the estimate. Default 1,000: services bill
        between 85 and several thousand. The first answer corrects it.
    concurrency : int
        The number of simultaneous requests. Default 4.
    requests_per_minute : float or None
        The largest number of requests per minute; by default there is no limit.
    retries : int
        The number of further attempts after a failure, with growing pauses or those that the
        server asks for. Default 5.
    timeout : float
        The longest duration of a request, in seconds to the last byte of its answer. Default
        120. Answers of more than 50 MB are not read.

    Examples
    --------
    >>> from imagestrata import ModelServer
    >>> ModelServer("llava", "http://localhost:11434/v1").is_local
    True
    """

    model: str
    base_url: str = f"https://{_OPENAI}/v1"
    api_key: str | Secret | None = field(default=None, repr=False)
    price: tuple[float, float] | None = None
    tokens_per_image: int = 1000
    concurrency: int = 4
    requests_per_minute: float | None = None
    retries: int = 5
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise ImagestrataError(
                f"{arg('model')} must be the name of a model, not {quote(self.model)}."
            )
        check_address("base_url", self.base_url, "http://localhost:11434/v1")
        if self.api_key is not None and not isinstance(self.api_key, Secret):
            object.__setattr__(self, "api_key", Secret(_check_key(arg("api_key"), self.api_key)))
        if self.price is not None:
            if not isinstance(self.price, list | tuple | np.ndarray) or len(self.price) != 2:
                raise ImagestrataError(
                    f"{arg('price')} must be two numbers, the prices of a million tokens sent and "
                    f"answered; got {quote(self.price)}."
                )
            checked = [check_float("price", one, minimum=0) for one in self.price]
            object.__setattr__(self, "price", tuple(checked))
        check_int("tokens_per_image", self.tokens_per_image, minimum=0)
        check_int("concurrency", self.concurrency, minimum=1, maximum=256)
        check_int("retries", self.retries, minimum=0, maximum=20)
        check_float("timeout", self.timeout, minimum=0.01)
        if self.requests_per_minute is not None:
            check_float("requests_per_minute", self.requests_per_minute, minimum=0.01)

    @property
    def host(self) -> str:
        """The host of the requests."""
        return str(urlsplit(self.base_url).hostname)

    @property
    def is_local(self) -> bool:
        """Whether the requests stay on this machine."""
        # Ollama runs models with these names on its own servers.
        return self.host in LOCAL_HOSTS and not self.model.endswith(("-cloud", ":cloud"))

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, which receives the key in the environment."""
        url = urlsplit(self.base_url)
        return (url.scheme, url.hostname, url.port or 443) == ("https", _OPENAI, 443)

    def identity(self) -> dict[str, Any]:
        """The settings that identify its answers."""
        return {"model": self.model, "base_url": self.base_url}

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """The cost of tokens; None without a price."""
        if self.price is None:
            return None
        return (tokens_in * self.price[0] + tokens_out * self.price[1]) / 1e6

    def key(self) -> str | None:
        """The key to send; None if there is none."""
        if isinstance(self.api_key, Secret):
            return self.api_key.reveal()
        if not self.is_openai:
            return None
        key = os.environ.get("OPENAI_API_KEY")
        if not key:
            raise ImagestrataError(
                "No key for OpenAI was found.",
                f"Set the environment variable OPENAI_API_KEY, or give {arg('api_key')}.",
            )
        return _check_key("The environment variable OPENAI_API_KEY", key)

    def without_key(self, text: str) -> str:
        """An answer of the server with any occurrence of the key removed."""
        key = self.key()
        return text if key is None or len(key) < _TELLING else text.replace(key, "[key]")

    def client(self) -> Client:
        """A client of the library `openai`, which makes one attempt per request."""
        return Client(
            require("openai", "text", "A model server"),
            self.base_url,
            self.key(),
            self.timeout,
            is_openai=self.is_openai,
            is_local=self.is_local,
        )


class Unanswered(Exception):
    """A request without an answer, with the reason.

    Parameters
    ----------
    reason : str
    passing : bool
        Whether the server failed in all attempts, so that a later call may succeed.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class Declined(Exception):
    """A request that the content filter of the service blocked, with the reason."""


class OverBudget(ItemError):
    """A request that was not sent, since its cost could exceed the budget."""

    def __init__(self) -> None:
        super().__init__("budget reached")


class Usage(NamedTuple):
    """Tokens sent and answered."""

    tokens_in: int
    tokens_out: int

    @classmethod
    def reported(cls, tokens_in: Any, tokens_out: Any, *, has_text: bool = True) -> Usage | None:
        """The tokens of an answer as a server reports them; None if they are implausible.

        Parameters
        ----------
        tokens_in, tokens_out : Any
            The values in the answer.
        has_text : bool
            Whether the answer has a text, which takes at least one token.
        """
        given = [one for one in (tokens_in, tokens_out) if not isinstance(one, bool)]
        numbers = [one for one in given if isinstance(one, int | float)]
        least = (1, int(has_text))
        if len(numbers) < 2 or not all(
            lowest <= one <= _MOST_TOKENS for lowest, one in zip(least, numbers, strict=True)
        ):
            return None
        return cls(int(numbers[0]), int(numbers[1]))


class Purse:
    """The budget, and the amounts that are spent or reserved; safe for threads.

    Parameters
    ----------
    budget : float or None
        The limit; None for no limit.
    spent : float
        The amount that earlier calls spent.
    on_lost : callable
        Called with the cost of an attempt without an answer that may be billed.
    """

    def __init__(
        self,
        budget: float | None,
        spent: float = 0.0,
        on_lost: Callable[[float], None] = lambda cost: None,
    ) -> None:
        self.budget = budget
        self.spent = spent
        self.on_lost = on_lost
        self._promised = 0.0
        self._lock = threading.Lock()

    def promise(self, amount: float) -> None:
        """Reserve an amount for a request, or raise :class:`OverBudget`."""
        with self._lock:
            if self.budget is not None and self.spent + self._promised + amount > self.budget:
                raise OverBudget
            self._promised += amount

    def settle(self, promised: float, paid: float, *, lost: bool = False) -> None:
        """Replace the reserved amount of a request by its cost; ``lost`` if no answer came."""
        with self._lock:
            self._promised -= promised
            self.spent += paid
        if lost and paid:
            self.on_lost(paid)


class Pace:
    """Spreads the starts of requests evenly over time; safe for threads.

    Parameters
    ----------
    per_minute : float or None
        The largest number of starts per minute; None for no limit.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self, per_minute: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def wait_for(self) -> float:
        """Reserve the next free start; return the seconds until then."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap
            return start - now


class Connection:
    """Asks a server, with retries, within a rate and a budget; safe for threads.

    Parameters
    ----------
    server : ModelServer
    purse : Purse
    at_most : Usage
        Tokens of one request: an estimate of those sent, the limit of those answered.
    stop : threading.Event
        Set when the work ends early: nothing more is sent then.
    more_tokens : int
        By how many tokens the words of a request may exceed those of another.
    """

    def __init__(
        self,
        server: ModelServer,
        purse: Purse,
        at_most: Usage,
        stop: threading.Event,
        *,
        more_tokens: int = 0,
    ) -> None:
        self.server = server
        self.purse = purse
        self.stop = stop
        self._client = server.client()
        self._openai = require("openai", "text", "A model server")
        self._pace = Pace(server.requests_per_minute)
        self._at_most = at_most
        self._more = more_tokens
        self._seen = 0

    def ask(
        self,
        send: Callable[[Any], Awaitable[Any]],
        read: Callable[[Any], tuple[Any, Usage | None]],
    ) -> tuple[Any, Usage | None, float]:
        """Send a request and read its answer.

        Parameters
        ----------
        send : callable
            Makes one attempt with the asynchronous client of the library.
        read : callable
            Returns the result in the answer and its tokens, or None for unknown tokens. It
            raises ValueError, TypeError, AttributeError or LookupError for an invalid answer.

        Returns
        -------
        result : Any
            The result that ``read`` returned.
        usage : Usage or None
        cost : float
            The cost; if the tokens are unknown, the highest possible cost.

        Raises
        ------
        Unanswered, Declined, OverBudget, Stopped
            For this request.
        ImagestrataError
            If no request can succeed.
        """
        for attempt in range(self.server.retries + 1):
            promised = self._dearest()
            if self.stop.is_set():
                raise Stopped
            self.purse.promise(promised)
            if self.stop.wait(self._pace.wait_for()):
                self.purse.settle(promised, 0.0)
                raise Stopped
            pause: float | None = None
            try:
                result, usage = read(self._client.send(send))
            except self._openai.APIStatusError as error:
                self.purse.settle(promised, 0.0)
                reason, pause = self._refused(error), _asked_pause(error)
            except self._openai.APIConnectionError as error:
                cause = error.__cause__
                reached = type(cause).__name__ not in ("ConnectError", "ConnectTimeout")
                self.purse.settle(promised, promised if reached else 0.0, lost=reached)
                said = cause if isinstance(cause, UnusableAnswer) else error
                reason = f"no answer from {self.server.host}: {said}"
            except (TimeoutError, UnusableAnswer) as error:
                self.purse.settle(promised, promised, lost=True)
                said = str(error) or f"not complete after {self.server.timeout:g} s"
                reason = f"no answer from {self.server.host}: {said}"
            except (self._openai.APIError, *NOT_AS_EXPECTED) as error:
                self.purse.settle(promised, promised, lost=True)
                reason = f"not a valid answer of the OpenAI interface ({type(error).__name__})"
            except BaseException:
                self.purse.settle(promised, promised, lost=True)
                raise
            else:
                paid = promised if usage is None else self.server.cost(*usage) or 0.0
                self.purse.settle(promised, paid)
                if usage is not None:
                    self._seen = max(self._seen, usage.tokens_in)
                return result, usage, paid
            if attempt < self.server.retries:
                self.stop.wait(_pause(attempt) if pause is None else pause)
        raise Unanswered(reason, passing=True)

    def _dearest(self) -> float:
        """The highest possible cost of the next request, by the tokens billed so far."""
        tokens_in = self._seen + self._more if self._seen else self._at_most.tokens_in
        return self.server.cost(tokens_in, self._at_most.tokens_out) or 0.0

    def _refused(self, error: Any) -> str:
        """The reason of an error status, if another attempt may succeed; raises otherwise."""
        status = int(error.status_code)
        if 300 <= status < 400:
            raise ImagestrataError(
                f"{self.server.host} redirects requests to {_place(error)} (HTTP {status}); "
                "nothing was sent there.",
                f"If you trust that address, give it as {arg('base_url')}.",
            ) from None
        said = _message(error, self.server.key())
        reason = f"HTTP {status}: {said}"
        if status in _NEVER or error.code == "insufficient_quota":
            raise ImagestrataError(
                f"{self.server.host} refuses every request for the model "
                f"{quote(self.server.model)} ({reason}).",
                "Check the key, the name of the model, base_url and the credit of the account; "
                "stored answers are kept.",
            ) from None  # the library's error may contain the key
        if str(error.code).startswith(_FILTERS):
            raise Declined(said) from None
        if status not in _LATER and status < 500:
            raise Unanswered(reason, passing=False) from None
        return reason


#: Exceptions that an invalid answer raises; deeply nested JSON raises RecursionError.
NOT_AS_EXPECTED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


def _pause(attempt: int) -> float:
    """Seconds before the next attempt, at random, so that threads do not return together."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)
    return float(longest * random.uniform(0.5, 1.0))


def _place(error: Any) -> str:
    """The host of a redirect, without the other parts of its address."""
    try:
        return urlsplit(error.response.headers["location"]).hostname or "another place on it"
    except (KeyError, ValueError):
        return "an address that it does not name"


def _asked_pause(error: Any) -> float | None:
    """Seconds that the server asks to wait; None if it names no plausible time."""
    try:
        seconds = float(error.response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_WAIT else None


def _message(error: Any, key: str | None) -> str:
    """The error message of the server in one line, without the key, which some servers repeat."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    text = " ".join(str(said or error.message).split())
    if key is not None:  # also words with the same beginning, such as a masked key
        text = re.sub(re.escape(key[:_TELLING]) + r"[^\s'\"]*", "[key]", text)
    return text[:200].encode("utf-8", "replace").decode()


def _check_key(name: str, key: Any) -> str:
    """Check that a key can be sent; the message does not show it."""
    if not isinstance(key, str) or re.fullmatch(r"[!-~]+", key) is None:
        raise ImagestrataError(
            f"{name} must be text without spaces, line breaks and accents.",
            "Check that it was copied without other characters around it.",
        )
    return key
