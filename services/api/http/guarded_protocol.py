"""uvicorn's HTTP/1.1 with bounds on the head of a request, where it has none: on its size and on its time."""

import asyncio
import json
from http import HTTPStatus
from urllib.parse import urlsplit

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """Refuses heads that are too large, too slow or malformed, with a problem, and closes."""

    head_seconds = 10.0
    _head_bytes = 0
    _is_in_head = True
    _has_body = False
    _is_complete = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as narrow as uvicorn's
        """A peer connected; its first request is due."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._head_is_over()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; those of a head that is not over yet are counted, and those of trailers alike."""
        self._has_body = False
        super().data_received(data)
        if not (self._has_body or self._is_complete):
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer, which comes after the body and which nobody asks for, is dropped."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which the application bounds."""
        self._has_body, self._head_bytes = True, 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """A request begins; on a connection that is kept alive it is not the first."""
        super().on_message_begin()
        self._head_bytes = 0
        self._is_complete = False
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is over; one that came in a single piece is measured here. Raises ValueError."""
        self._head_is_over()
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse(431)
            raise ValueError("the head is too large")  # stops the parser, which tells data_received
        if self._names_another_host():
            self._refuse(400)
            raise ValueError("the target names another host")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is here, with its body and its trailers."""
        self._is_complete = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called where the parser gave up."""
        self._refuse(400)

    def _names_another_host(self) -> bool:
        """Return whether an address in absolute form names another host than the header, which would not count.

        RFC 9112, 3.2.2: whoever looks at the header, as the application does, would be told the wrong one.
        """
        if self.url.startswith((b"/", b"*")):
            return False
        return urlsplit(self.url).netloc.lower() != dict(self.headers).get(b"host", b"").lower()

    def _expect_head(self) -> None:
        self._is_in_head = True
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._refuse, 408)

    def _head_is_over(self) -> None:
        self._is_in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._head_is_over()
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()  # in the middle of another answer there is nothing to be said
            return
        phrase = HTTPStatus(status).phrase
        detail = "The request's head is malformed, too large or too slow."
        problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
