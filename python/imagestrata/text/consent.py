"""Ask for consent before data leave this machine."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from ..errors import ImagestrataError
from ..wording import arg
from .http import proxy_for
from .server import ModelServer


def ask_consent(
    server: ModelServer,
    what: str,
    tokens_in: int,
    tokens_out: int,
    consent: bool,
    *,
    limited: bool = True,
) -> None:
    """Report what a server will receive and its cost; raise an error without consent.

    Parameters
    ----------
    server : ModelServer
        A server on this machine needs no consent.
    what : str
        The beginning of the notice: "20 texts leave this machine".
    tokens_in, tokens_out : int
        Estimates of the tokens sent, and of the most tokens answered.
    consent : bool
        Whether the user agreed.
    limited : bool
        Whether the length of answers is limited, so that the estimate is an upper bound.
    """
    if server.is_local:
        return
    cost = server.cost(tokens_in, tokens_out)
    price = (
        "the cost is unknown, since no price was given"
        if cost is None
        else f"{'at most ' if limited else ''}about {cost:,.2f} at the given price"
    )
    notice = (
        f"{what} for {destination(server.base_url)}, for the model {server.model!r}. Estimate: "
        f"{tokens_in:,} tokens sent, "
        f"{'at most' if limited else 'perhaps'} {tokens_out:,} answered; {price}."
    )
    agree(notice, consent, " A model on your own machine needs no consent.")


def destination(address: str) -> str:
    """The host of an address, and who can read the data on the way."""
    parts = urlsplit(address)
    unencrypted = "" if parts.scheme == "https" else ", unencrypted"
    proxy = proxy_for(address)
    return f"{parts.hostname}{unencrypted}" + (f" (through the proxy {proxy})" if proxy else "")


def agree(notice: str, consent: bool, otherwise: str = "") -> None:
    """Print what leaves the machine; without consent, raise it as an error."""
    if not consent:
        raise ImagestrataError(
            notice + " Nothing has been sent yet.",
            "If the rights in the images, the people in them and the terms of the service allow "
            f"it, use {arg('consent', True)}.{otherwise}",
        )
    print(notice, file=sys.stderr)
