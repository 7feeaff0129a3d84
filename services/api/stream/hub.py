"""All open streams of this process: who may open one, what each is sent, and when it ends."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from contracts.wire import rfc3339
from services.api.http.problems import Problem, unavailable
from services.api.log.event_log import EventLog
from services.api.log.position import GapReason, Position
from services.api.log.ring import Ring
from services.api.stream.batches import Batches
from services.api.stream.broadcaster import Broadcaster
from services.api.stream.catch_up import catch_up
from services.api.stream.filters import View
from services.api.stream.keepalive import keepalive_frame, next_due
from services.api.stream.reconnect_reason import ReconnectReason
from services.api.stream.sse import encode_control, encode_cursor, encode_reset, encode_retry
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.subscriber import REPLAYING, Subscriber
from services.api.stream.timer_wheel import TimerWheel
from services.runtime.process.logging import get_logger

STALL_SECONDS = 60.0
"""A client that takes nothing for so long is closed; it loses nothing if it comes back with its id."""
GOODBYE_SECONDS = 5.0
"""For the last bytes to reach a client that is told to go."""
DRAIN_SECONDS = 1.5
LEASE_SPREAD = 0.2
SLICE = 128

log = get_logger(__name__)


class Hub:
    """Opens streams and looks after them. Nothing of the database is held while one is open."""

    def __init__(self, event_log: EventLog, limits: StreamLimits) -> None:
        self.event_log = event_log
        self.broadcaster = Broadcaster()
        self.is_draining = False
        self._limits = limits
        self._clients: dict[Subscriber, None] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._views: dict[View, Batches] = {}
        self._of_owner: Counter[str] = Counter()
        self._wheel = TimerWheel[Subscriber](self._on_due, min(1.0, limits.heartbeat_seconds / 8))
        event_log.follow(self)

    def __len__(self) -> int:
        return len(self._clients)

    def admit(self, view: View) -> None:
        """Refuse one stream too many; raises Problem 429 or 503."""
        if self.is_draining:
            raise unavailable("This server is about to stop; another one answers.", retry_after=1)
        if len(self._clients) >= self._limits.connections:
            raise unavailable("This server has as many open streams as it may have.")
        owner = view.caller.owner_id
        if owner is not None and self._of_owner[owner] >= self._limits.connections_per_user:
            raise Problem(429, "You have as many open streams as you may have.", headers={"Retry-After": "5"})

    def open(self, client: Subscriber, wish: StreamRequest) -> None:
        """Begin a stream whose headers are out: its first frames, then what it missed, then the tail."""
        self._enter(client, wish)
        head = self.event_log.head
        parsed = Position.parse(wish.last_event_id) if wish.last_event_id else None
        position = parsed or head
        client.write(encode_retry(), self._connected(client, position), *wish.newest)
        if wish.last_event_id and parsed is None:
            client.write(encode_reset(GapReason.UNKNOWN, position))
        if wish.newest:
            client.write(encode_cursor(str(position)))
        log.info(
            "client connected", client_id=client.client_id, last_event_id=(wish.last_event_id or "")[:64]
        )
        self.follow_from(client, position)

    def follow_from(self, client: Subscriber, position: Position) -> None:
        """Let a client follow: at once where the ring has what it needs, else through a replay."""
        ring = self.event_log.ring
        cursor = ring.locate(position)
        if isinstance(cursor, int):
            self.broadcaster.add(client, ring, cursor)
        else:
            client.task = asyncio.get_running_loop().create_task(catch_up(self, client, position))

    def push(self, client: Subscriber) -> None:
        """There is room in a client's write buffer again."""
        self.broadcaster.push(client)

    def end(self, client: Subscriber, farewell: ReconnectReason) -> None:
        """Tell a client to come back, and close."""
        self._close(client, encode_control("reconnect", reason=farewell.value))

    def close_slow(self, client: Subscriber) -> None:
        """Close a client that lags too far; handing the position back, or its last id, it misses nothing."""
        log.info("client is too slow", client_id=client.client_id)
        ring = self.event_log.ring
        at = self._position(client, ring)
        self._close(client, encode_reset(GapReason.SLOW, at) if at else b"")

    def forget(self, client: Subscriber) -> None:
        """The connection is gone."""
        if client not in self._clients:
            return
        del self._clients[client]
        if not self._clients:
            self._emptied.set()
        self.broadcaster.remove(client)
        if client.task is not None:
            client.task.cancel()
        self._leave_view(client.batches)
        owner = client.batches.view.caller.owner_id
        if owner is not None:
            self._of_owner[owner] -= 1
            if not self._of_owner[owner]:
                del self._of_owner[owner]
        log.info("client disconnected", client_id=client.client_id)

    def log_grew(self) -> None:
        """Called by the log."""
        self.broadcaster.wake(self.event_log.ring)

    def log_was_replaced(self, old: Ring) -> None:
        """Called by the log: everybody finds their place anew, and is told when that can't be."""
        for client in list(self.broadcaster.clients):
            position = self._position(client, old)
            self.broadcaster.remove(client)
            if position is None:
                self._close(client)  # it comes back with the id that it has
            else:
                client.task = asyncio.get_running_loop().create_task(catch_up(self, client, position))

    async def drain(self) -> None:
        """End all streams, within ``DRAIN_SECONDS``: those who don't read are cut off."""
        self.is_draining = True
        for index, client in enumerate(list(self._clients)):
            self.end(client, ReconnectReason.SHUTDOWN)
            if index % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._emptied.wait()
        for client in list(self._clients):
            client.abort()
        self._wheel.stop()

    def _enter(self, client: Subscriber, wish: StreamRequest) -> None:
        now = asyncio.get_running_loop().time()
        spread = random.uniform(1 - LEASE_SPREAD, 1 + LEASE_SPREAD)  # noqa: S311 - spreads load, guards nothing
        client.hub = self
        # When a token ends is no part of what it shows: callers with other tokens share the view.
        view = replace(wish.view, caller=replace(wish.view.caller, expires_at=None))
        client.batches = self._views.setdefault(view, Batches(view))
        client.batches.clients += 1
        client.written_at = now
        client.heartbeat_at = now + self._limits.heartbeat_seconds
        client.lease_until = now + self._limits.lease_seconds * spread
        if wish.expires_at is not None:
            client.expires_at = now + wish.expires_at - time.time()
        self._clients[client] = None
        self._emptied.clear()
        owner = wish.view.caller.owner_id
        if owner is not None:
            self._of_owner[owner] += 1
        self._wheel.schedule(client, next_due(client, now))

    def _leave_view(self, batches: Batches) -> None:
        batches.clients -= 1
        if not batches.clients:
            del self._views[batches.view]

    def _connected(self, client: Subscriber, position: Position) -> bytes:
        return encode_control(
            "connected",
            clientId=client.client_id,
            serverTime=rfc3339(datetime.now(UTC)),
            position=str(position),
        )

    def _close(self, client: Subscriber, *last: bytes) -> None:
        if client.closing:
            return
        cursor = self._cursor_frame(client, self.event_log.ring)
        client.closing = True
        self.broadcaster.remove(client)
        if client.task is not None:
            client.task.cancel()
        client.finish(cursor, *last)
        client.lease_until = asyncio.get_running_loop().time() + GOODBYE_SECONDS
        self._wheel.schedule(client, client.lease_until)

    def _position(self, client: Subscriber, ring: Ring) -> Position | None:
        """Where a client is; None when it fell out of the ring while there was room in its buffer."""
        return ring.position(client.cursor) if client.cursor >= ring.base else client.paused_at

    def _cursor_frame(self, client: Subscriber, ring: Ring) -> bytes:
        """Moves the client's id past what was filtered away, or nothing where it is up to date."""
        if client.cursor == REPLAYING or client.last_sent_cursor() == client.cursor:
            return b""
        position = self._position(client, ring)
        client.sent_cursor = client.cursor
        return encode_cursor(str(position)) if position else b""

    def _on_due(self, due: Sequence[Subscriber], now: float) -> None:
        """Called by the wheel for those of whom something may be due."""
        heartbeat = encode_control("heartbeat", serverTime=rfc3339(datetime.now(UTC)))
        for client in due:
            if client not in self._clients:
                continue
            if client.closing:
                if now >= client.lease_until:
                    client.abort()
                continue
            self._keep_alive(client, now, heartbeat)
            if not client.closing:
                self._wheel.schedule(client, next_due(client, now))

    def _keep_alive(self, client: Subscriber, now: float, heartbeat: bytes) -> None:
        if client.expires_at is not None and now >= client.expires_at:
            self.end(client, ReconnectReason.AUTH)
        elif now >= client.lease_until:
            self.end(client, ReconnectReason.LEASE)
        elif client.paused:
            is_out = client.cursor != REPLAYING and client.cursor < self.event_log.ring.base
            if is_out or now - client.last_written_at() >= STALL_SECONDS:
                self.close_slow(client)
        else:
            interval = self._limits.heartbeat_seconds
            cursor = self._cursor_frame(client, self.event_log.ring)
            if sign := cursor + keepalive_frame(client, now, heartbeat, interval):
                client.written_at = now
                client.write(sign)
