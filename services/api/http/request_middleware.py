"""What holds for every request and answer: an id, no ambiguous header, a rate, security headers, no stack trace."""

import math
import re
from time import monotonic
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.body import MAX_JSON_BYTES, TimedReceive
from services.api.http.methods import as_read
from services.api.http.problems import Problem, problem_of
from services.api.http.rates import ADDRESS, Rates, address_key, rate_headers
from services.api.http.security_headers import security_headers

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

SINGLE = frozenset(
    {
        b"authorization", b"content-length", b"content-type", b"host", b"last-event-id", b"origin",
        b"transfer-encoding", b"webhook-id", b"webhook-signature", b"webhook-timestamp", b"x-request-id",
        b"x-webhook-key",
    }
)  # fmt: skip
"""Headers that mean nothing certain when they come twice: a proxy may have looked at the other one."""


class RequestMiddleware:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, rates: Rates, body_seconds: float) -> None:
        self._app = app
        self._rates = rates
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; other scopes (the lifespan) pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = as_read(scope)
        request_id = _request_id(scope)
        has_begun = False

        async def send_sealed(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": _sealed(scope, message, request_id)}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._admit(scope)
                bound = math.inf if _is_upload(scope) else MAX_JSON_BYTES
                patient = TimedReceive(receive, self._body_seconds, monotonic, bound)
                await self._app(scope, patient, send_sealed)
            except Exception as error:
                problem = problem_of(error)
                if has_begun:
                    raise  # nothing can be said any more; the server cuts the connection
                await problem.response()(scope, receive, send_sealed)

    async def _admit(self, scope: Scope) -> None:
        names = [name for name, _ in scope["headers"] if name in SINGLE]
        if len(names) != len(set(names)):
            raise Problem(400, "A header that may come once came twice.")
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # Names, types and cursors are looked for in PostgreSQL, which takes no NUL in a text.
            raise Problem(400, "The address has a NUL in it.")
        if scope["path"].startswith("/api/"):
            client = scope.get("client")
            await self._rates.count(scope, ADDRESS, address_key(client[0] if client else None))


def _is_upload(scope: Scope) -> bool:
    """Whether the body is a file, which is counted by the one who stores it and never held whole."""
    return bool(scope["path"] == "/api/v1/documents")


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
