"""The ways in which events reach each server."""

import asyncio
import json
import secrets
import time
from abc import ABC, abstractmethod

import aio_pika


def event(seq: int) -> bytes:
    """A status event as a busy pipeline has them, stamped now."""
    body = {
        "eventId": secrets.token_hex(16),
        "documentId": secrets.token_hex(16),
        "status": "embedding",
        "message": "Embedded 32 of 64 chunks.",
        "metadata": {
            "filename": "annual-report.pdf",
            "fileType": "application/pdf",
            "embeddedCount": 32,
            "chunkCount": 64,
            "seq": seq,
            "sentNs": time.monotonic_ns(),
        },
        "timestamp": "2026-11-22T06:00:00.123Z",
        "ownerId": None,
        "attempt": 1,
        "source": "embedder",
    }
    return json.dumps(body, separators=(",", ":")).encode()


class Publisher(ABC):
    """Hands events to a server."""

    def __init__(self) -> None:
        self.seq = 0

    async def publish(self, count: int) -> None:
        """Publish ``count`` events as fast as they are taken."""
        for _ in range(count):
            await self._send(event(self.seq))
            self.seq += 1

    @abstractmethod
    async def _send(self, body: bytes) -> None: ...

    @abstractmethod
    async def close(self) -> None:
        """Close the connection."""


class LinePublisher(Publisher):
    """Events as the lines of one request."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def _send(self, body: bytes) -> None:
        if self._writer is None:
            _, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(
                b"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
        self._writer.write(b"%x\r\n%s\n\r\n" % (len(body) + 1, body))
        await self._writer.drain()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class RequestPublisher(Publisher):
    """A request for each event, on one connection."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _send(self, body: bytes) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            b"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class RabbitPublisher(Publisher):
    """Events into the log, with confirms, a hundred in flight."""

    def __init__(
        self, connection: aio_pika.abc.AbstractConnection, exchange: aio_pika.abc.AbstractExchange
    ) -> None:
        super().__init__()
        self._connection = connection
        self._exchange = exchange

    async def publish(self, count: int) -> None:
        while count:
            batch = min(count, 100)
            bodies = [event(self.seq + index) for index in range(batch)]
            await asyncio.gather(*map(self._send, bodies))
            self.seq += batch
            count -= batch

    async def _send(self, body: bytes) -> None:
        message = aio_pika.Message(
            body, type="document_processing", delivery_mode=2, content_type="application/json"
        )
        await self._exchange.publish(message, "embedder.embedding")

    async def close(self) -> None:
        await self._connection.close()
