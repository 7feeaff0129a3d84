"""Rules for every request and answer: a host that is ours, no ambiguous header, an id, security headers."""

import re
from collections.abc import Callable
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.allowed_hosts import parse_host
from services.api.http.methods import as_read
from services.api.http.problems import answer_to
from services.api.http.rates import rate_headers
from services.api.http.security_headers import security_headers
from services.api.refusals import Malformed, Misdirected, Refused

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

SINGLE = frozenset(
    {
        b"authorization", b"content-length", b"content-type", b"host", b"last-event-id", b"origin",
        b"transfer-encoding", b"webhook-id", b"webhook-signature", b"webhook-timestamp", b"x-request-id",
        b"x-webhook-key",
    }
)  # fmt: skip
"""Headers that mean nothing certain when they come twice: a proxy may have looked at the other one."""

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by containers' probes and scrapers, by names that operators need not know."""


class RequestMiddleware:
    """The outermost layer of the application; ``is_ours`` tells the names that requests may be for."""

    def __init__(self, app: ASGIApp, *, is_ours: Callable[[str], bool]) -> None:
        self._app = app
        self._is_ours = is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; other scopes (the lifespan) pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = as_read(scope)
        request_id = _request_id(scope)

        async def send_sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _sealed(scope, message, request_id)}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            refusal = self._refusal(scope)
            await (answer_to(refusal) if refusal else self._app)(scope, receive, send_sealed)

    def _refusal(self, scope: Scope) -> Refused | None:
        names = [name for name, _ in scope["headers"] if name in SINGLE]
        if len(names) != len(set(names)):
            return Malformed("A header that may come once came twice.")
        host = parse_host(dict(scope["headers"]).get(b"host", b""))
        if host is None:
            return Malformed("The request names no host.")
        if scope["path"] not in PROBES and not self._is_ours(host):
            return Misdirected("This server does not answer to that name; ALLOWED_HOSTS lists those it does.")
        return None


def _request_id(scope: Scope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _sealed(scope: Scope, message: Message, request_id: str) -> list[tuple[bytes, bytes]]:
    given: list[tuple[bytes, bytes]] = list(message.get("headers", []))
    names = {name.lower() for name, _ in given}
    ours = [
        (b"x-request-id", request_id.encode()),
        *security_headers(scope),
        *rate_headers(scope),
    ]
    return [*given, *((name, value) for name, value in ours if name not in names)]
