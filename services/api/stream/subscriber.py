"""One connection that follows the log, as the hub sees it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from services.api.log.position import Position
from services.api.stream.batches import Batch, Batches

if TYPE_CHECKING:
    from services.api.stream.hub import Hub

REPLAYING = -1


class Subscriber:
    """A cursor into the ring and a way to write; how is told by ``TransportClient`` and ``PlainClient``.

    Slots, and nothing that is made before it is needed: there may be ten thousand of them.
    """

    __slots__ = (
        "batches",
        "client_id",
        "closing",
        "cursor",
        "expires_at",
        "heartbeat_at",
        "hub",
        "lease_until",
        "paused",
        "paused_at",
        "sent_cursor",
        "socket_send",
        "task",
        "waiter",
        "written_at",
    )

    batches: Batches
    hub: "Hub"

    def __init__(self) -> None:
        self.client_id = str(uuid4())
        self.cursor = REPLAYING
        self.sent_cursor = REPLAYING  # the cursor after the last event whose id went out to this client alone
        self.paused = False  # its write buffer is full
        self.paused_at: Position | None = None  # the position of the cursor then
        self.socket_send: Callable[[bytes], int] | None = None  # only while nothing can be waiting before it
        self.closing = False
        self.written_at = 0.0  # the last time that something was, to this client alone
        self.heartbeat_at = 0.0
        self.lease_until = 0.0
        self.expires_at: float | None = None
        self.task: asyncio.Task[None] | None = None
        self.waiter: asyncio.Future[None] | None = None

    def has_all_of_view(self) -> bool:
        """Whether everything that its view has shown went out to this client as well."""
        return self.sent_cursor <= self.batches.sent_cursor <= self.cursor

    def last_sent_cursor(self) -> int:
        """The cursor after the last event whose id the client has seen."""
        return self.batches.sent_cursor if self.has_all_of_view() else self.sent_cursor

    def last_written_at(self) -> float:
        """When something was last written, on the loop's clock."""
        return max(self.written_at, self.batches.sent_at) if self.has_all_of_view() else self.written_at

    def send(self, batch: Batch, sent: int = 0) -> None:
        """Write a batch as it is; ``sent`` bytes of its chunk are out already, through ``socket_send``."""
        raise NotImplementedError

    def write(self, *frames: bytes) -> None:
        """Write frames."""
        raise NotImplementedError

    def finish(self, *frames: bytes) -> None:
        """Write the last frames and end the response; the connection closes when they are out."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        raise NotImplementedError

    async def drained(self) -> None:
        """Wait until the write buffer is no longer full, or the connection is gone."""
        while self.paused and not self.closing:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter

    def writing_paused(self) -> None:
        """The write buffer is full."""
        self.paused = True

    def writing_resumed(self) -> None:
        """There is room in the write buffer."""
        self.paused = False
        self._wake()
        if self.cursor != REPLAYING:
            self.hub.push(self)

    def on_closed(self) -> None:
        """The connection is gone."""
        self.closing = True
        self.hub.forget(self)
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
