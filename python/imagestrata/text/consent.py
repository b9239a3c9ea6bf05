"""What leaves the machine is said, and agreed to, before it leaves."""

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
    """Say what goes to a server, at what cost; stop unless that was agreed to.

    Parameters
    ----------
    server : ModelServer
        One on this machine needs no consent, since nothing leaves.
    what : str
        The beginning of the notice: "20 texts leave this machine".
    tokens_in, tokens_out : int
        Estimates of what is sent, and of what is answered at most.
    consent : bool
        What the user said.
    limited : bool
        Whether answers have a limit, so that the estimate is an upper bound.
    """
    if server.is_local:
        return
    cost = server.cost(tokens_in, tokens_out)
    price = (
        "its cost is not known, since no price was given"
        if cost is None
        else f"{'at most ' if limited else ''}about {cost:,.2f} by the price given"
    )
    notice = (
        f"{what} for {destination(server.base_url)}, for the model {server.model!r}. Estimate: "
        f"{tokens_in:,} tokens sent, "
        f"{'at most' if limited else 'perhaps'} {tokens_out:,} answered; {price}."
    )
    agree(notice, consent, " A model on your own machine needs no consent.")


def destination(address: str) -> str:
    """Where something goes, and who can read it on its way."""
    parts = urlsplit(address)
    unencrypted = "" if parts.scheme == "https" else ", unencrypted"
    proxy = proxy_for(address)
    return f"{parts.hostname}{unencrypted}" + (f" (through the proxy {proxy})" if proxy else "")


def agree(notice: str, consent: bool, otherwise: str = "") -> None:
    """Print what leaves the machine, or stop with it where that was not agreed to."""
    if not consent:
        raise ImagestrataError(
            notice + " Nothing was sent yet.",
            "If the rights in the images, the people in them and the service's terms allow it, "
            f"say {arg('consent', True)}.{otherwise}",
        )
    print(notice, file=sys.stderr)
