"""A server with the OpenAI interface, asked by many threads within limits."""

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

#: The host that OPENAI_API_KEY belongs to.
_OPENAI = "api.openai.com"

#: Statuses of a server that may answer later: timeout, conflict, too early, too many requests.
_LATER = {408, 409, 425, 429}

#: Statuses that no further request would change: key, permission, model or address are wrong.
_NEVER = {401, 402, 403, 404}

#: How codes of errors begin that stand for a filter: those of Azure, of OpenAI.
_FILTERS = ("content_filter", "content_policy")

#: Tokens of one request that are believed: ten times what the longest models take.
_MOST_TOKENS = 10**8

#: So many characters at the beginning tell a key from other words.
_TELLING = 6

#: Seconds between attempts: doubled each time from the first up to the last.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0


class Secret:
    """A text that does not show: not when printed, nor among an object's fields, nor in files.

    Parameters
    ----------
    text : str
    """

    __slots__ = ("reveal",)

    def __init__(self, text: str) -> None:
        #: What gives the text. A closure: whatever prints fields stops at it.
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
            "A key is not written to files, nor sent to other processes.",
            "Make the ModelServer where it is used.",
        )


@dataclass(frozen=True)
class ModelServer:
    """A model behind the OpenAI interface: OpenAI itself, or Ollama, vLLM, LM Studio, ...

    Requests go to ``base_url`` and nowhere else: a redirect is an error, and what is sent
    to this machine never goes through a proxy. Other servers than OpenAI get no settings
    or keys for OpenAI from the environment.

    Attributes
    ----------
    model : str
        The model's name, as the server knows it.
    base_url : str
        Where the server is; ``"http://localhost:11434/v1"`` is an Ollama of yours.
        Default: OpenAI.
    api_key : str or None
        By default the environment variable OPENAI_API_KEY, which is sent to OpenAI and
        to nobody else. It is never stored nor shown, and kept as a :class:`Secret`.
    price : (float, float) or None
        What a million tokens cost, those sent and those answered, in any currency. Look
        it up with the provider; without it, costs are told in tokens only.
    tokens_per_image : int
        Tokens that a picture is billed as, for the estimate (default 1,000: services
        differ between 85 and several thousand). The first answer corrects it.
    concurrency : int
        Requests under way at once. Default 4.
    requests_per_minute : float or None
        Requests started per minute, at most; by default as many as the server takes.
    retries : int
        Further attempts after a failure, with growing pauses or those that the server
        asks for. Default 5.
    timeout : float
        Seconds from a request to the last byte of its answer; then it is given up.
        Default 120. Answers of more than 50 MB are not read.

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
                    f"{arg('price')} must be two numbers, what a million tokens sent and a "
                    f"million answered cost; got {quote(self.price)}."
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
        """The machine that requests go to."""
        return str(urlsplit(self.base_url).hostname)

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine."""
        # Ollama computes models with such names on servers of its own.
        return self.host in LOCAL_HOSTS and not self.model.endswith(("-cloud", ":cloud"))

    @property
    def is_openai(self) -> bool:
        """Whether this is OpenAI itself, which keys of the environment belong to."""
        url = urlsplit(self.base_url)
        return (url.scheme, url.hostname, url.port or 443) == ("https", _OPENAI, 443)

    def identity(self) -> dict[str, Any]:
        """What tells its answers from those of other models."""
        return {"model": self.model, "base_url": self.base_url}

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """What these tokens cost; None without a price."""
        if self.price is None:
            return None
        return (tokens_in * self.price[0] + tokens_out * self.price[1]) / 1e6

    def key(self) -> str | None:
        """The key to be sent, if there is one."""
        if isinstance(self.api_key, Secret):
            return self.api_key.reveal()
        if not self.is_openai:
            return None
        key = os.environ.get("OPENAI_API_KEY")
        if not key:
            raise ImagestrataError(
                "There is no key for OpenAI.",
                f"Set the environment variable OPENAI_API_KEY, or give {arg('api_key')}.",
            )
        return _check_key("The environment variable OPENAI_API_KEY", key)

    def without_key(self, text: str) -> str:
        """A text that the server answered, without the key, should it be in there."""
        key = self.key()
        return text if key is None or len(key) < _TELLING else text.replace(key, "[key]")

    def client(self) -> Client:
        """The library `openai`; it makes one attempt, the others are ours to count."""
        return Client(
            require("openai", "text", "A model server"),
            self.base_url,
            self.key(),
            self.timeout,
            is_openai=self.is_openai,
            is_local=self.is_local,
        )


class Unanswered(Exception):
    """A request that got no answer, with the reason.

    Parameters
    ----------
    reason : str
    passing : bool
        Whether the server failed in all attempts; else it holds this request to be wrong.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class Declined(Exception):
    """A request whose content the service's filter does not let through, with the reason."""


class OverBudget(ItemError):
    """A request that was not sent, since its cost might exceed the budget."""

    def __init__(self) -> None:
        super().__init__("budget reached")


class Usage(NamedTuple):
    """Tokens sent and answered."""

    tokens_in: int
    tokens_out: int

    @classmethod
    def reported(cls, tokens_in: Any, tokens_out: Any, *, has_text: bool = True) -> Usage | None:
        """What a server says of an answer's tokens, or None where that cannot be true.

        Parameters
        ----------
        tokens_in, tokens_out : Any
            As they arrived.
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
    """What may be spent, and what is already spent or promised; shared by threads.

    Parameters
    ----------
    budget : float or None
        The limit; None for none.
    spent : float
        What earlier calls spent of it.
    """

    def __init__(self, budget: float | None, spent: float = 0.0) -> None:
        self.budget = budget
        self.spent = spent
        self._promised = 0.0
        self._lock = threading.Lock()

    def promise(self, amount: float) -> None:
        """Put money aside for a request, or raise :class:`OverBudget`."""
        with self._lock:
            if self.budget is not None and self.spent + self._promised + amount > self.budget:
                raise OverBudget
            self._promised += amount

    def settle(self, promised: float, paid: float) -> None:
        """A request is over: what was put aside for it, and what it did cost."""
        with self._lock:
            self._promised -= promised
            self.spent += paid


class Pace:
    """Lets requests start one by one, evenly spread; shared by threads.

    Parameters
    ----------
    per_minute : float or None
        How many may start in a minute; None for no limit.
    clock : callable
        Seconds that pass.
    """

    def __init__(
        self, per_minute: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def wait_for(self) -> float:
        """Take the next free moment; how many seconds it is away."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap
            return start - now


class Connection:
    """Asks a server, with retries, within a rate and a budget. Used by many threads at once.

    Parameters
    ----------
    server : ModelServer
    purse : Purse
    at_most : Usage
        Tokens of one request: an estimate of those sent, the limit of those answered.
    on_lost : callable
        Called with the cost of an attempt that may be billed though no answer came.
    stop : threading.Event
        Set when the work is given up: nothing more is sent then.
    """

    def __init__(
        self,
        server: ModelServer,
        purse: Purse,
        at_most: Usage,
        on_lost: Callable[[float], None],
        stop: threading.Event,
    ) -> None:
        self.server = server
        self.purse = purse
        self.stop = stop
        self._client = server.client()
        self._openai = require("openai", "text", "A model server")
        self._pace = Pace(server.requests_per_minute)
        self._at_most = at_most
        self._seen = 0
        self._on_lost = on_lost

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
            Takes what we want out of the answer, and the tokens it took, None where the
            server does not say; raises ValueError, TypeError, AttributeError, LookupError
            where the answer is not what it should be.

        Returns
        -------
        result : Any
            What ``read`` took out of the answer.
        usage : Usage or None
        cost : float
            What was paid: without a usage, the most that this request could cost.

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
                self._lose(promised, billed=reached)
                said = cause if isinstance(cause, UnusableAnswer) else error
                reason = f"no answer from {self.server.host}: {said}"
            except (TimeoutError, UnusableAnswer) as error:
                self._lose(promised, billed=True)
                said = str(error) or f"not complete after {self.server.timeout:g} s"
                reason = f"no answer from {self.server.host}: {said}"
            except (self._openai.APIError, *NOT_AS_EXPECTED) as error:
                self._lose(promised, billed=True)
                reason = f"not an answer of the OpenAI interface ({type(error).__name__})"
            except BaseException:
                self._lose(promised, billed=True)
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
        """What the next request costs at most, by the pictures billed so far."""
        tokens_in = self._seen or self._at_most.tokens_in
        return self.server.cost(tokens_in, self._at_most.tokens_out) or 0.0

    def _lose(self, promised: float, *, billed: bool) -> None:
        self.purse.settle(promised, promised if billed else 0.0)
        if billed and promised:
            self._on_lost(promised)

    def _refused(self, error: Any) -> str:
        """The reason of an answer with an error status, where another attempt may help."""
        status = int(error.status_code)
        if 300 <= status < 400:
            raise ImagestrataError(
                f"{self.server.host} sends requests on to {_place(error)} (HTTP {status}); nothing "
                "was sent there.",
                f"If you trust that address, give it as {arg('base_url')}.",
            ) from None
        said = _message(error, self.server.key())
        reason = f"HTTP {status}: {said}"
        if status in _NEVER or error.code == "insufficient_quota":
            raise ImagestrataError(
                f"{self.server.host} refuses every request for the model "
                f"{quote(self.server.model)} ({reason}).",
                "Check the key, the name of the model, base_url and the account's credit; what "
                "is answered is kept.",
            ) from None  # the library's error has what the server said, perhaps with the key
        if str(error.code).startswith(_FILTERS):
            raise Declined(said) from None
        if status not in _LATER and status < 500:
            raise Unanswered(reason, passing=False) from None
        return reason


#: What comes of reading an answer that is not what it should be; deeply nested JSON ends in a
#: RecursionError.
NOT_AS_EXPECTED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


def _pause(attempt: int) -> float:
    """Seconds before the next attempt, spread so that threads do not come back together."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)
    return float(longest * random.uniform(0.5, 1.0))


def _place(error: Any) -> str:
    """The machine that a redirect names, without what may stand before and behind its name."""
    try:
        return urlsplit(error.response.headers["location"]).hostname or "another place on it"
    except (KeyError, ValueError):
        return "an address that it does not name"


def _asked_pause(error: Any) -> float | None:
    """Seconds that the server asks to wait, if it asks for some that make sense."""
    try:
        seconds = float(error.response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_WAIT else None


def _message(error: Any, key: str | None) -> str:
    """What the server says of an error, in one line, without the key that some give back."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    text = " ".join(str(said or error.message).split())
    if key is not None:  # with any word that begins as it does, such as a masked one
        text = re.sub(re.escape(key[:_TELLING]) + r"[^\s'\"]*", "[key]", text)
    return text[:200].encode("utf-8", "replace").decode()


def _check_key(name: str, key: Any) -> str:
    """A key that can be sent; the message does not show it."""
    if not isinstance(key, str) or re.fullmatch(r"[!-~]+", key) is None:
        raise ImagestrataError(
            f"{name} must be text without spaces, line breaks and accents.",
            "It may have been copied with something around it.",
        )
    return key
