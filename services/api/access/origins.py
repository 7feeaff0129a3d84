"""Tells a request that a page of ours sent from one that another site made a browser send.

A cookie goes with both, and so does being on the same machine as a server without tokens.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request

from services.api.refusals import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_other_origins(request: Request, allowed: Collection[str], *, must_tell: bool) -> None:
    """Raise Forbidden for a request that comes from a page of a foreign origin.

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
        raise Forbidden("A page of another origin may not do this with the user's own credentials.")
