"""Server-Sent Events with sse-starlette in the usual way: a queue for each client."""

import asyncio
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

queues: set[asyncio.Queue[tuple[int, str]]] = set()


async def events(request: Request) -> EventSourceResponse:
    async def frames() -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        queues.add(queue)
        try:
            yield ServerSentEvent(event="connected", data="{}")
            while True:
                offset, data = await queue.get()
                yield ServerSentEvent(event="document_processing", id=str(offset), data=data)
        finally:
            queues.discard(queue)

    return EventSourceResponse(frames())


async def publish(request: Request) -> Response:
    offset, rest = 0, b""
    async for part in request.stream():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            offset += 1
            for queue in queues:
                queue.put_nowait((offset, line.decode()))
    return Response()


app = Starlette(routes=[Route("/events", events), Route("/publish", publish, methods=["POST"])])
