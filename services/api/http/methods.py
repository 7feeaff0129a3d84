"""Methods of an address: those of all its routes, and HEAD wherever there is GET."""

from fastapi import Request
from starlette.routing import Match
from starlette.types import Scope

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def as_read(scope: Scope) -> Scope:
    """Make a GET of HEAD, whose body the server leaves out (RFC 9110, 9.3.2): routes need not know of it."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" and not is_stream(scope) else scope


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of a request's address: of all its routes, where Starlette tells the first one's only."""
    allowed = [method for method in METHODS if _is_routed({**request.scope, "method": method}, request)]
    if "GET" in allowed and not is_stream(request.scope):
        allowed.append("HEAD")  # of which the middleware makes a GET
    return allowed


def _is_routed(scope: Scope, request: Request) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def is_stream(scope: Scope) -> bool:
    """Return whether a request is for the stream of events: it never ends, and so has no head to ask for."""
    return bool(scope["path"] == "/api/v1/events")
