"""A bound on every answer: a dependency may neither answer nor break, and whoever waits is to hear of it.

A server that was stopped (SIGSTOP, a machine that froze) keeps its connections open. Cancelling a statement does
not help then: the driver waits for the server to confirm even that. So the work is left to itself, not awaited.
"""

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.refusals import Unready
from services.runtime.process.asyncio_guards import forget

UNBOUNDED = re.compile(r"GET /api/v1/events|POST /api/v1/documents")
"""The stream lasts as long as its client; an upload has a bound of its own, on each piece of the body."""
UNBOUNDED_ONCE_BEGUN = re.compile(r"GET /api/v1/documents/[^/]+/content")
"""A large file takes as long as its client's line does."""


class Deadline:
    """Answers 503 for what has not been answered after ``seconds``."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; raises Unready, or TimeoutError in the middle of an answer."""
        asked = f"{scope.get('method')} {scope.get('path')}"
        if scope["type"] != "http" or UNBOUNDED.fullmatch(asked):
            await self._app(scope, receive, send)
            return None
        has_begun = is_over = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_begun
            if not is_over:
                has_begun = True
                await send(message)

        work = asyncio.ensure_future(self._app(scope, receive, send_in_time))
        try:
            await asyncio.wait([work], timeout=self._seconds)
            if has_begun and UNBOUNDED_ONCE_BEGUN.fullmatch(asked):
                await asyncio.wait([work])
        finally:
            is_over = True
            if not work.done():
                work.add_done_callback(forget)
                work.cancel()
        if work.done():
            return work.result()
        if has_begun:
            raise TimeoutError("the answer stopped in its middle")
        raise Unready
