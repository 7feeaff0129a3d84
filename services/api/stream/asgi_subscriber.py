"""A stream through ASGI's ``send``, for servers whose connections can't be taken over."""

import asyncio

from starlette.types import Receive, Send

from services.api.stream.batches import Batch
from services.api.stream.subscriber import Subscriber

HIGH_WATER = 65_536


class AsgiSubscriber(Subscriber):
    """Buffers what is written, and sends it in a task of its own; a slow ``send`` pauses it."""

    __slots__ = ("_buffer", "_ended", "_filled", "_size")

    def __init__(self) -> None:
        super().__init__()
        self._buffer: list[bytes] = []
        self._size = 0
        self._filled = asyncio.Event()
        self._ended = False

    def _send(self, batch: Batch, sent: int) -> None:
        self._write(batch.data)

    def _write(self, *frames: bytes) -> None:
        self._buffer += frames
        self._size += sum(map(len, frames))
        self._filled.set()
        if self._size > HIGH_WATER and not self.paused:
            self.pause_writing()

    def _finish(self, *frames: bytes) -> None:
        self._ended = True
        self._write(*frames)

    def abort(self) -> None:
        self._ended = True
        self._buffer.clear()
        self._filled.set()

    async def serve(self, receive: Receive, send: Send) -> None:
        """Send until the stream or the connection ends."""
        watching = asyncio.create_task(self._watch(receive))
        try:
            while await self._flush(send):
                pass
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watching.cancel()
            self.connection_gone()

    async def _flush(self, send: Send) -> bool:
        await self._filled.wait()
        self._filled.clear()
        body = b"".join(self._buffer)
        self._buffer.clear()
        self._size = 0
        if body:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if self.paused and not self._ended:
            self.resume_writing()
        return bool(self._buffer) or not self._ended

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.abort()
