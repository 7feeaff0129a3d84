"""A connection of uvicorn that was taken out of HTTP's hands once its response has begun.

What is left of it is a transport and one object: the request, its parser and its task are gone, which is most of
what an open stream costs. Under another server, or in tests, ``plain`` does the same through ASGI.
"""

import asyncio
import os
from typing import Any

from starlette.types import Scope

from services.api.events.batches import Batch
from services.api.events.client import Client
from services.api.events.frames import LAST_CHUNK, encode_chunk
from services.api.guarded_protocol import GuardedProtocol

EXTENSION = "stagecast.connection"


class TransportClient(Client, asyncio.Protocol):
    """Writes HTTP chunks straight to the transport. What the client sends is ignored."""

    __slots__ = ("connections", "descriptor", "transport")

    def __init__(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        super().__init__()
        self.transport = transport
        self.connections = connections  # those that uvicorn waits for when it stops
        is_plain = transport.get_extra_info("sslcontext") is None
        self.descriptor = transport.get_extra_info("socket").fileno() if is_plain else -1

    def send(self, batch: Batch) -> None:
        chunk = batch.chunk
        transport = self.transport
        if self.descriptor >= 0 and not transport.get_write_buffer_size():
            # What the transport would do, without its bookkeeping.
            try:
                sent = os.write(self.descriptor, chunk)
            except OSError:
                sent = 0  # the transport meets it again, and knows what to do
            if sent == len(chunk):
                return
            chunk = chunk[sent:]
        transport.write(chunk)

    def write(self, *frames: bytes) -> None:
        self.transport.write(encode_chunk(*frames))

    def finish(self, *frames: bytes) -> None:
        self.transport.write(encode_chunk(*frames) + LAST_CHUNK)
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def pause_writing(self) -> None:
        self.writing_paused()

    def resume_writing(self) -> None:
        self.writing_resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self.lost()

    def shutdown(self) -> None:
        """Called by uvicorn when it stops; the hub has said goodbye already."""
        if not self.closing:
            self.transport.close()


class StreamProtocol(GuardedProtocol):
    """uvicorn's protocol, which lets the application take its connection over."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.scope is not None:
            self.scope.pop("extensions", None)  # a cycle, which would wait for the garbage collector

    def hand_over(self) -> TransportClient | None:
        """The connection of the response that has begun, or None when it can't be taken."""
        cycle = self.cycle
        if self.transport.is_closing() or not cycle.response_started or not cycle.chunked_encoding:
            return None
        client = TransportClient(self.transport, self.connections)
        client.paused = self.flow.write_paused
        self.connections.discard(self)
        self.connections.add(client)  # type: ignore[arg-type]
        self.flow.resume_reading()  # or the end of the connection would not be seen
        self.transport.set_protocol(client)
        cycle.response_complete = True  # for uvicorn the request is answered, and its task may end
        self.scope.pop("extensions", None)
        return client


def take_connection(scope: Scope) -> TransportClient | None:
    """Take the connection of a response that has begun; None under another server."""
    protocol = scope.get("extensions", {}).get(EXTENSION)
    return protocol.hand_over() if isinstance(protocol, StreamProtocol) else None
