"""A connection of uvicorn that was taken out of HTTP's hands once its response has begun.

What is left of it is a transport and one object: the request, its parser and its task are gone, which is most of
what an open stream costs. Under another server ``AsgiSubscriber`` does the same through ASGI.
"""

import asyncio
import socket
from typing import Any

from starlette.types import Scope

from services.api.http.guarded_protocol import GuardedProtocol
from services.api.stream.batches import Batch
from services.api.stream.sse import LAST_CHUNK, encode_chunk
from services.api.stream.subscriber import Subscriber

EXTENSION = "stagecast.connection"


class TransportSubscriber(Subscriber, asyncio.Protocol):
    """Writes HTTP chunks straight to the transport. What the client sends is ignored."""

    __slots__ = ("connections", "socket", "transport")

    def __init__(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        super().__init__()
        self.transport = transport
        self.connections = connections  # those that uvicorn waits for when it stops
        self.socket = _socket_of(transport)

    def _send(self, batch: Batch, sent: int) -> None:
        chunk = batch.chunk
        if not sent and self.socket is not None and not self.transport.get_write_buffer_size():
            # What the transport would do, without its bookkeeping.
            self.socket_send = self.socket.send
            try:
                sent = self.socket_send(chunk)
            except OSError:
                sent = 0  # the transport meets it again, and knows what to do
        if sent < len(chunk):
            self._queue(chunk[sent:])

    def _write(self, *frames: bytes) -> None:
        self._queue(encode_chunk(*frames))

    def _finish(self, *frames: bytes) -> None:
        self._queue(encode_chunk(*frames) + LAST_CHUNK)
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.socket_send = None
        if self.socket is not None:
            self.socket.detach()  # the transport closes it
            self.socket = None
        self.connections.discard(self)
        self.connection_gone()

    def _queue(self, data: bytes) -> None:
        self.socket_send = None  # or what comes next could overtake what the transport still holds
        self.transport.write(data)

    def shutdown(self) -> None:
        """Called by uvicorn when it stops, and nothing to do: the hub says goodbye, and cuts off who stays."""


def _socket_of(transport: asyncio.Transport) -> socket.socket | None:
    """Return a view of a transport's socket that can be written to; None where TLS is in between."""
    if transport.get_extra_info("sslcontext") is not None:
        return None
    own = transport.get_extra_info("socket")
    return socket.socket(own.family, own.type, own.proto, fileno=own.fileno())


class StreamProtocol(GuardedProtocol):
    """uvicorn's protocol, which lets the application take its connection over."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: self}  # type: ignore[dict-item]  # uvicorn's own

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.scope is not None:
            self.scope.pop("extensions", None)  # a cycle, which would wait for the garbage collector

    def hand_over(self) -> TransportSubscriber | None:
        """Return the connection of the response that has begun, or None when it can't be taken."""
        cycle = self.cycle
        if self.transport.is_closing() or not cycle.response_started or not cycle.chunked_encoding:
            return None
        subscriber = TransportSubscriber(self.transport, self.connections)
        if self.flow.write_paused:
            subscriber.pause_writing()
        self.connections.discard(self)
        self.connections.add(subscriber)  # type: ignore[arg-type]  # it has what uvicorn calls
        self.flow.resume_reading()  # or the end of the connection would not be seen
        self.transport.set_protocol(subscriber)
        cycle.response_complete = True  # for uvicorn the request is answered, and its task may end
        self.scope.pop("extensions", None)
        return subscriber


def take_connection(scope: Scope) -> TransportSubscriber | None:
    """Take the connection of a response that has begun; None under another server."""
    protocol = scope.get("extensions", {}).get(EXTENSION)
    return protocol.hand_over() if isinstance(protocol, StreamProtocol) else None
