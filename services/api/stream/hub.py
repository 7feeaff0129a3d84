"""All open streams of this process: who may open one, what each is sent, and when it ends."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from services.api.archive.archive_reader import ArchiveReader
from services.api.log.event_log import EventLog
from services.api.log.position import GapReason, Position
from services.api.log.ring import Ring
from services.api.refusals import TooManyRequests, Unready
from services.api.stream.batches import Batches
from services.api.stream.broadcaster import Broadcaster
from services.api.stream.catch_up import Way, catch_up
from services.api.stream.filters import View
from services.api.stream.sse import (
    ReconnectReason,
    encode_connected,
    encode_heartbeat,
    encode_reconnect,
    encode_reset,
)
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.subscriber import Subscriber
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

    def __init__(
        self, event_log: EventLog, limits: StreamLimits, archive: ArchiveReader | None = None
    ) -> None:
        self._event_log = event_log
        self._archive = archive
        self._limits = limits
        self._broadcaster = Broadcaster()
        self._is_draining = False
        self._subscribers: dict[Subscriber, None] = {}
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._views: dict[View, Batches] = {}
        self._of_owner: Counter[str] = Counter()
        self._wheel = TimerWheel[Subscriber](self._on_due, min(1.0, limits.heartbeat_seconds / 8))
        event_log.listen(self)

    def __len__(self) -> int:
        return len(self._subscribers)

    def admit(self, view: View) -> None:
        """Refuse one stream too many; raises TooManyRequests or Unready."""
        if self._is_draining:
            raise Unready("This server is about to stop; another one answers.", retry_after=1)
        if len(self._subscribers) >= self._limits.connections:
            raise Unready("This server has as many open streams as it may have.")
        owner = view.caller.owner_id
        if owner is not None and self._of_owner[owner] >= self._limits.connections_per_user:
            raise TooManyRequests("You have as many open streams as you may have.")

    def open(self, subscriber: Subscriber, request: StreamRequest) -> None:
        """Begin a stream whose headers are out: its first frames, then what it missed, then the tail."""
        self._enter(subscriber, request)
        parsed = Position.parse(request.last_event_id) if request.last_event_id else None
        position = parsed or self._event_log.head
        subscriber.write(encode_connected(subscriber.client_id, position))
        if request.last_event_id and parsed is None:
            subscriber.write(encode_reset(GapReason.UNKNOWN, position))
        last_event_id = (request.last_event_id or "")[:64]
        log.info("client_connected", client_id=subscriber.client_id, last_event_id=last_event_id)
        ring = self._event_log.ring
        cursor = ring.locate(position)
        if isinstance(cursor, int) and not request.newest:
            self._broadcaster.add(subscriber, ring, cursor)
        else:
            self._catch_up(subscriber, position, request.newest)

    async def drain(self) -> None:
        """End all streams, within ``DRAIN_SECONDS``: those who don't read are cut off."""
        self._is_draining = True
        for index, subscriber in enumerate(list(self._subscribers)):
            self._close(subscriber, encode_reconnect(ReconnectReason.SHUTDOWN))
            if index % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._emptied.wait()
        for subscriber in list(self._subscribers):
            subscriber.abort()
        self._wheel.stop()

    def on_writable(self, subscriber: Subscriber) -> None:
        """Write what is next for a subscriber, whose buffer has room again."""
        self._broadcaster.push(subscriber)

    def on_too_slow(self, subscriber: Subscriber) -> None:
        """Close a client that lags too far; handing the position back, or its last id, it misses nothing."""
        log.info("client_too_slow", client_id=subscriber.client_id)
        position = subscriber.position_in(self._event_log.ring)
        self._close(subscriber, encode_reset(GapReason.SLOW, position) if position else b"")

    def on_closed(self, subscriber: Subscriber) -> None:
        """Forget a subscriber whose connection is gone."""
        if subscriber not in self._subscribers:
            return
        del self._subscribers[subscriber]
        if not self._subscribers:
            self._emptied.set()
        self._broadcaster.remove(subscriber)
        self._leave_view(subscriber.batches)
        log.info("client_disconnected", client_id=subscriber.client_id)

    def log_grew(self) -> None:
        """Let the broadcaster write what is new; called by the log."""
        self._broadcaster.wake(self._event_log.ring)

    def log_was_replaced(self, old: Ring) -> None:
        """Find everybody's place anew, and tell who has none; called by the log."""
        for subscriber in self._broadcaster.subscribers():
            subscriber.settle(old)
            position = subscriber.position_in(old)
            self._broadcaster.remove(subscriber)
            if position is None:
                self._close(subscriber)  # it comes back with the id that it has
            else:
                self._catch_up(subscriber, position)

    def _enter(self, subscriber: Subscriber, request: StreamRequest) -> None:
        now = asyncio.get_running_loop().time()
        batches = self._enter_view(request.view)
        spread = random.uniform(1 - LEASE_SPREAD, 1 + LEASE_SPREAD)  # noqa: S311 - spreads load, guards nothing
        ends_at, reason = now + self._limits.lease_seconds * spread, ReconnectReason.LEASE
        if (
            request.expires_at is not None
            and (expires_at := now + request.expires_at - time.time()) < ends_at
        ):
            ends_at, reason = expires_at, ReconnectReason.AUTH
        subscriber.begin(self, batches, now + self._limits.heartbeat_seconds, ends_at, reason)
        self._subscribers[subscriber] = None
        self._emptied.clear()
        self._wheel.schedule(subscriber, subscriber.due_at(now))

    def _enter_view(self, view: View) -> Batches:
        # When a token ends is no part of what it shows: callers with other tokens share the view.
        shared = replace(view, caller=replace(view.caller, expires_at=None))
        batches = self._views.setdefault(shared, Batches(shared))
        batches.subscribers += 1
        if (owner := shared.caller.owner_id) is not None:
            self._of_owner[owner] += 1
        return batches

    def _leave_view(self, batches: Batches) -> None:
        batches.subscribers -= 1
        if not batches.subscribers:
            del self._views[batches.view]
        if (owner := batches.view.caller.owner_id) is not None:
            self._of_owner[owner] -= 1
            if not self._of_owner[owner]:
                del self._of_owner[owner]

    def _catch_up(self, subscriber: Subscriber, position: Position, newest: Sequence[bytes] = ()) -> None:
        way = Way(self._event_log, self._archive, self._broadcaster)
        bringing = catch_up(way, subscriber, position, newest)
        subscriber.catch_up_in(asyncio.get_running_loop().create_task(bringing))

    def _close(self, subscriber: Subscriber, *last: bytes) -> None:
        if subscriber.is_closing:
            return
        subscriber.settle(self._event_log.ring)
        cursor = subscriber.cursor_frame(self._event_log.ring)
        self._broadcaster.remove(subscriber)
        now = asyncio.get_running_loop().time()
        subscriber.close(now + GOODBYE_SECONDS, cursor, *last)
        self._wheel.schedule(subscriber, subscriber.due_at(now))

    def _on_due(self, due: Sequence[Subscriber], now: float) -> None:
        """Look after those of whom something may be due; called by the wheel."""
        heartbeat = encode_heartbeat()
        for subscriber in due:
            if subscriber not in self._subscribers:
                continue
            if subscriber.is_closing:
                if subscriber.is_overdue(now):
                    subscriber.abort()
                continue
            self._look_after(subscriber, now, heartbeat)
            if not subscriber.is_closing:
                self._wheel.schedule(subscriber, subscriber.due_at(now))

    def _look_after(self, subscriber: Subscriber, now: float, heartbeat: bytes) -> None:
        ring = self._event_log.ring
        subscriber.settle(ring)
        if reason := subscriber.end_reason(now):
            self._close(subscriber, encode_reconnect(reason))
        elif subscriber.paused:
            is_out = subscriber.is_following and subscriber.cursor < ring.base
            if is_out or subscriber.silent_seconds(now) >= STALL_SECONDS:
                self.on_too_slow(subscriber)
        else:
            cursor = subscriber.cursor_frame(ring)
            subscriber.write(
                cursor, subscriber.keepalive_frame(now, heartbeat, self._limits.heartbeat_seconds)
            )
