"""Server-Sent Events with fastapi.sse in the usual way: a queue for each client."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

app = FastAPI()
queues: set[asyncio.Queue[tuple[int, str]]] = set()


@app.get("/events", response_class=EventSourceResponse)
async def events() -> AsyncIterator[ServerSentEvent]:
    queue: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    queues.add(queue)
    try:
        yield ServerSentEvent(event="connected", raw_data="{}")
        while True:
            offset, data = await queue.get()
            yield ServerSentEvent(event="document_processing", id=str(offset), raw_data=data)
    finally:
        queues.discard(queue)


@app.post("/publish")
async def publish(request: Request) -> None:
    offset, rest = 0, b""
    async for part in request.stream():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            offset += 1
            for queue in queues:
                queue.put_nowait((offset, line.decode()))
