"""Bodies with bounds: in size where a route says so, in time everywhere."""

import asyncio
import math
from collections.abc import Callable, Mapping

from fastapi import HTTPException, Request
from starlette.types import Message, Receive

from services.api.refusals import TooLarge

MIN_BYTES_PER_SECOND = 16 * 1024
MAX_JSON_BYTES = 512 * 1024
"""Of a body that is read whole before a route looks at it: twice the longest search."""


class BodyTooLarge(TooLarge):
    """A body that is not read to its end."""

    headers: Mapping[str, str] = {"Connection": "close"}

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The body is larger than {max_bytes} bytes.")


class TimedReceive:
    """An ASGI ``receive`` that gives a body ``seconds``, and more only while it comes at a decent pace.

    As Apache's mod_reqtimeout has it (``body=20,MinRate=16384``): one rule for a search and for a large upload.
    """

    def __init__(
        self, receive: Receive, seconds: float, clock: Callable[[], float], max_bytes: float = math.inf
    ) -> None:
        self._receive = receive
        self._bytes_left = max_bytes
        self._clock = clock
        self._deadline = clock() + seconds
        self._is_complete = False

    async def __call__(self) -> Message:
        """Return the next message; raises HTTPException 408 when the body is too slow, 413 when it is too large."""
        if self._is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - self._clock())):
                message = await self._receive()
        except TimeoutError as error:
            # HTTPException, because FastAPI makes a 400 of whatever else comes out of reading a body.
            raise HTTPException(408, "The body came too slowly.", {"Connection": "close"}) from error
        size = len(message.get("body", b""))
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise HTTPException(413, "The body is too large.", {"Connection": "close"})
        self._deadline += size / MIN_BYTES_PER_SECOND
        self._is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


async def bounded_body(request: Request, max_bytes: int) -> bytes:
    """Return the body; raises BodyTooLarge as soon as it is certain to be larger than ``max_bytes``."""
    refuse_declared(request, max_bytes)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise BodyTooLarge(max_bytes)
    return bytes(body)


def refuse_declared(request: Request, max_bytes: int) -> None:
    """Raise BodyTooLarge for a ``Content-Length`` that is too large already."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise BodyTooLarge(max_bytes)
