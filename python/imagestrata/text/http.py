"""Requests to a model server that go to the named address, and end in time and within bounds."""

from __future__ import annotations

import asyncio
import importlib
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

#: Bytes of an answer. Vectors of 64 texts take 4 MB, descriptions a few kilobytes.
LARGEST_ANSWER = 50 * 2**20

#: All that a request says besides its content. The library adds what it finds in the
#: environment (OPENAI_ORG_ID, OPENAI_CUSTOM_HEADERS, ...), which belongs to OpenAI alone.
_HEADERS = {"host", "accept", "connection", "content-length", "content-type", "user-agent"}

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class UnusableAnswer(Exception):
    """An answer that was not read to its end, with the reason."""


class Client:
    """The library `openai`, held to one address, a time and a size. Used by many threads.

    Parameters
    ----------
    openai : module
    base_url : str
    key : str or None
        None for a server without keys.
    timeout : float
        Seconds from the request to the last byte of the answer.
    is_openai : bool
        Whether the environment's settings for OpenAI belong to this server.
    is_local : bool
        Whether the server runs on this machine, so that no proxy may stand between.
    """

    def __init__(
        self,
        openai: Any,
        base_url: str,
        key: str | None,
        timeout: float,
        *,
        is_openai: bool,
        is_local: bool,
    ) -> None:
        self._timeout = timeout
        # A server without keys ignores what it gets, but the library insists on one.
        authorization = f"Bearer {key or 'none'}"

        async def check_request(request: Any) -> None:
            if not is_openai:
                for name in set(request.headers) - _HEADERS:
                    del request.headers[name]
                request.headers["authorization"] = authorization
            # What is not compressed cannot unfold to more than was sent.
            request.headers["accept-encoding"] = "identity"

        library = openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]
        bounded = _bounded_stream(importlib.import_module(library))

        async def check_response(response: Any) -> None:
            encoding = response.headers.get("content-encoding", "identity")
            if encoding != "identity":
                raise UnusableAnswer(f"an answer packed with {encoding}, which was not asked for")
            response.stream = bounded(response.stream)

        self._client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=not is_local,
                event_hooks={"request": [check_request], "response": [check_response]},
            ),
        )

        loop = self._loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=(loop, self._client), daemon=True).start()
        weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)

    def send(self, request: Callable[[Any], Awaitable[Any]]) -> Any:
        """Make one request and wait for its answer.

        Parameters
        ----------
        request : callable
            Takes the asynchronous client and calls one of its methods.

        Raises
        ------
        TimeoutError
            If the whole answer is not there in time.
        openai.APIError, ValueError, TypeError, ...
            As the library raises them.
        """

        async def within_time() -> Any:
            async with asyncio.timeout(self._timeout):
                return await request(self._client)

        return asyncio.run_coroutine_threadsafe(within_time(), self._loop).result()


def _run(loop: asyncio.AbstractEventLoop, client: Any) -> None:
    """Wait for answers in a thread, until nobody can ask any more."""
    loop.run_forever()
    loop.run_until_complete(client.close())
    loop.close()


def _bounded_stream(httpx: Any) -> Any:
    class BoundedStream(httpx.AsyncByteStream):  # type: ignore[misc]
        """The bytes of an answer, up to the largest that is taken."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            n_bytes = 0
            async for chunk in self._stream:
                n_bytes += len(chunk)
                if n_bytes > LARGEST_ANSWER:
                    raise UnusableAnswer(f"an answer of more than {LARGEST_ANSWER / 1e6:.0f} MB")
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    return BoundedStream


def proxy_for(address: str) -> str | None:
    """The machine between here and an address that the system's settings name, if any."""
    parts = urlsplit(address)
    host = str(parts.hostname)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname
