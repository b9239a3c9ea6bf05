"""Send requests to a model server at one address, with limits on time and size."""

from __future__ import annotations

import asyncio
import importlib
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

#: The largest answer, in bytes. Vectors of 64 texts take 4 MB, descriptions a few kilobytes.
LARGEST_ANSWER = 50 * 2**20

#: The only headers of a request to other servers than OpenAI. The library also adds headers from
#: the environment (OPENAI_ORG_ID, OPENAI_CUSTOM_HEADERS, ...), which only OpenAI may receive.
_HEADERS = {"host", "accept", "connection", "content-length", "content-type", "user-agent"}

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class UnusableAnswer(Exception):
    """An answer that was not read completely, with the reason."""


class Client:
    """The library `openai`, limited to one address, a time and a size; safe for threads.

    Parameters
    ----------
    openai : module
    base_url : str
    key : str or None
        The key; None for a server without keys.
    timeout : float
        Seconds from the request to the last byte of the answer.
    is_openai : bool
        Whether this server may receive the settings for OpenAI in the environment.
    is_local : bool
        Whether the server runs on this machine, so that no proxy is used.
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
        # A server without keys ignores the key, but the library requires one.
        authorization = f"Bearer {key or 'none'}"

        async def check_request(request: Any) -> None:
            if not is_openai:
                for name in set(request.headers) - _HEADERS:
                    del request.headers[name]
                request.headers["authorization"] = authorization
            # An uncompressed answer cannot expand beyond the size that was sent.
            request.headers["accept-encoding"] = "identity"

        library = openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]
        bounded = _bounded_stream(importlib.import_module(library))

        async def check_response(response: Any) -> None:
            encoding = response.headers.get("content-encoding", "identity")
            if encoding != "identity":
                raise UnusableAnswer(
                    f"an answer compressed with {encoding}, which was not requested"
                )
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
        """Send one request and wait for its answer.

        Parameters
        ----------
        request : callable
            Takes the asynchronous client and calls one of its methods.

        Raises
        ------
        TimeoutError
            If the answer is not complete in time.
        openai.APIError, ValueError, TypeError, ...
            As the library raises them.
        """

        async def within_time() -> Any:
            async with asyncio.timeout(self._timeout):
                return await request(self._client)

        return asyncio.run_coroutine_threadsafe(within_time(), self._loop).result()


def _run(loop: asyncio.AbstractEventLoop, client: Any) -> None:
    """Run the event loop in a thread until the client is deleted."""
    loop.run_forever()
    loop.run_until_complete(client.close())
    loop.close()


def _bounded_stream(httpx: Any) -> Any:
    class BoundedStream(httpx.AsyncByteStream):  # type: ignore[misc]
        """The bytes of an answer, up to the largest size."""

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
    """The proxy for an address in the settings of the system; None if there is none."""
    parts = urlsplit(address)
    host = str(parts.hostname)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname
