"""Tells a request that a page of ours sent from one that another site made a browser send.

A cookie goes with both, and so does being on the same machine as a server without tokens.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request

from services.api.http.problems import Problem

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_other_origins(request: Request, allowed: Collection[str], *, must_tell: bool) -> None:
    """Raise Problem 403 for a request that comes from a page of a foreign origin.

    By ``Sec-Fetch-Site``, which pages can't forge, else by ``Origin`` against ``Host``, as OWASP's cheat sheet
    on request forgery has it. ``must_tell``: a request that changes something and has neither is refused.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin in allowed:
        return
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    elif origin is not None:
        is_ours = urlsplit(origin).netloc == request.headers.get("host")
    else:
        is_ours = not must_tell or request.method in SAFE_METHODS
    if not is_ours:
        raise Problem(403, "A page of another origin may not do this with the user's own credentials.")


def refuse_other_hosts(request: Request) -> None:
    """Raise Problem 421 for a request that was not sent to this machine by one of its own names.

    Against DNS rebinding: a page whose name was made to point here is of the same origin as we are, and nothing
    but its name gives it away.
    """
    name = request.url.hostname or ""
    if name in LOOPBACK or name.endswith(".localhost"):
        return
    try:
        is_loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        sentence = "Without tokens this server answers to localhost alone; AUTH_DISABLED=true lifts that."
        raise Problem(421, sentence)
