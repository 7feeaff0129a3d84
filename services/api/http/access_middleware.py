"""The gate before the routes: the rate of an address, who asks, bounds on the body; errors become problems.

Here and not in the routes, so that who asks is settled before what is asked: FastAPI reads a body before anything
that a route depends on, and a route that is added later can't forget to ask.
"""

import math
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.body import MAX_JSON_BYTES, TimedReceive
from services.api.http.problems import answer_to
from services.api.http.rates import ADDRESS, Rates, address_key
from services.api.refusals import Malformed


class AccessMiddleware:
    """The layer within CORS, so that a page of another origin sees refusals too."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticate: Callable[[Scope], Awaitable[None]],
        rates: Rates,
        body_seconds: float,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._rates = rates
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; other scopes (the lifespan) pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._admit(scope)
            bound = math.inf if _is_upload(scope) else MAX_JSON_BYTES
            timed = TimedReceive(receive, self._body_seconds, monotonic, bound)
            await self._app(scope, timed, send_noted)
        except Exception as error:
            answer = answer_to(error)
            if has_begun:
                raise  # nothing can be said any more; the server cuts the connection
            await answer(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        if scope["path"].startswith("/api/"):
            client = scope.get("client")
            await self._rates.count(scope, ADDRESS, address_key(client[0] if client else None))
        await self._authenticate(scope)
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # Names, types and cursors are looked for in PostgreSQL, which takes no NUL in a text.
            raise Malformed("The address has a NUL in it.")


def _is_upload(scope: Scope) -> bool:
    """Return whether the body is a file, which is counted by the one who stores it and never held whole."""
    return bool(scope["path"] == "/api/v1/documents")
