"""One connection that follows the log: where it is, how to write to it, and when something is due to it."""

import asyncio
from collections.abc import Callable
from typing import Protocol
from uuid import uuid4

from services.api.log.position import Position
from services.api.log.ring import Ring
from services.api.stream.batches import Batch, Batches
from services.api.stream.sse import COMMENT, ReconnectReason, encode_cursor

NOT_FOLLOWING = -1
"""The cursor of a subscriber that is not at the tail: it is brought there, or is closing."""
COMMENT_SECONDS = 15.0
CURSOR_SECONDS = 5.0
"""The most that the id of a client whose events are filtered away may lag behind."""


class SubscriberListener(Protocol):
    """Hears what becomes of a subscriber, while the one who wrote to it may still be at work."""

    def on_writable(self, subscriber: "Subscriber") -> None:
        """There is room in its write buffer again, and it follows the tail."""

    def on_too_slow(self, subscriber: "Subscriber") -> None:
        """The ring no longer has what comes next for it."""

    def on_closed(self, subscriber: "Subscriber") -> None:
        """Its connection is gone; may be told more than once."""


class Subscriber:
    """A cursor into the ring and a way to write: ``TransportSubscriber`` or ``AsgiSubscriber``.

    Slots, and nothing made before it is needed: there may be ten thousand. Times are seconds of the loop's clock.
    """

    __slots__ = (
        "_abort_at",
        "_end_reason",
        "_ends_at",
        "_heartbeat_at",
        "_listener",
        "_paused_at",
        "_sent_cursor",
        "_task",
        "_waiter",
        "_written_at",
        "batches",
        "client_id",
        "cursor",
        "is_behind",
        "lags_until",
        "paused",
        "socket_send",
    )

    batches: Batches
    _listener: SubscriberListener

    def __init__(self) -> None:
        self.client_id = str(uuid4())
        self.cursor = NOT_FOLLOWING
        self.is_behind = False  # more is to come; of a viewer for whom it is not the cursor is moved on late
        self.lags_until = 0  # the cursor before which it is spared obsolete progress
        self.paused = False  # its write buffer is full
        self.socket_send: Callable[[bytes], int] | None = None  # only while nothing can be waiting before it
        self._sent_cursor = (
            NOT_FOLLOWING  # the cursor after the last event whose id went out to this one alone
        )
        self._paused_at: Position | None = None  # the position of the cursor when the buffer filled up
        self._written_at = 0.0  # the last time that something was, to this one alone
        self._heartbeat_at = 0.0
        self._ends_at = 0.0
        self._end_reason = ReconnectReason.LEASE
        self._abort_at: float | None = None  # when it is closed at once, once it is closing
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(
        self,
        listener: SubscriberListener,
        batches: Batches,
        heartbeat_at: float,
        ends_at: float,
        end_reason: ReconnectReason,
    ) -> None:
        """Belong to a listener and a view, until ``ends_at``; the first heartbeat is due at ``heartbeat_at``."""
        self._listener, self.batches = listener, batches
        self._written_at = asyncio.get_running_loop().time()
        self._heartbeat_at, self._ends_at, self._end_reason = heartbeat_at, ends_at, end_reason

    @property
    def is_following(self) -> bool:
        """True at the tail, with a cursor into the ring."""
        return self.cursor != NOT_FOLLOWING

    @property
    def is_closing(self) -> bool:
        """True once the last frames are written, or the connection is gone."""
        return self._abort_at is not None

    def follow(self, cursor: int, *, is_behind: bool, lags_until: int) -> None:
        """Be at the tail, from a cursor on."""
        self.cursor = self._sent_cursor = cursor
        self.is_behind, self.lags_until = is_behind, lags_until
        self._task = None

    def unfollow(self) -> None:
        """Be no longer at the tail."""
        self.cursor = NOT_FOLLOWING

    def catch_up_in(self, task: asyncio.Task[None]) -> None:
        """Let a task bring it to the tail; it is cancelled when the stream ends."""
        self._task = task

    def settle(self, ring: Ring) -> None:
        """Move past what was filtered away: nobody visits one for whom nothing is to come."""
        if self.is_following and not self.is_behind and not self.batches.is_total:
            self.cursor, self._paused_at = ring.end, ring.head

    def position_in(self, ring: Ring) -> Position | None:
        """Return where it is; None when it fell out of the ring while there was room in its buffer."""
        return ring.position(self.cursor) if self.cursor >= ring.base else self._paused_at

    def deliver(self, batch: Batch, ring: Ring, now: float, sent: int = 0) -> None:
        """Write the batch for its cursor; ``sent`` bytes of its chunk are out already, through ``socket_send``."""
        self.cursor = batch.end
        self.is_behind = batch.end != ring.end
        if batch.data:
            self._sent_cursor = batch.sent_cursor
            self._written_at = now
            self._send(batch, sent)
            self._paused_at = ring.position(batch.end) if self.paused else None

    def write(self, *frames: bytes) -> None:
        """Write frames to this one alone; nothing once it is closing."""
        if any(frames) and not self.is_closing:
            self._written_at = asyncio.get_running_loop().time()
            self._write(*frames)

    def cursor_frame(self, ring: Ring) -> bytes:
        """Return what moves the client's id past what was filtered away; empty where the id is up to date.

        Always empty where every event is shown: what the id lacks then are no events, and of an id alone some
        clients make an event without data.
        """
        if not self.is_following or self.batches.is_total or self._last_sent_cursor() == self.cursor:
            return b""
        position = self.position_in(ring)
        self._sent_cursor = self.cursor
        return encode_cursor(position) if position else b""

    def keepalive_frame(self, now: float, heartbeat: bytes, interval: float) -> bytes:
        """Return ``heartbeat`` when due, and again after ``interval`` seconds; else a comment on an idle stream."""
        if now >= self._heartbeat_at:
            # From when it was due, or each would come a little later than it should.
            missed = now - self._heartbeat_at >= interval
            self._heartbeat_at = (now if missed else self._heartbeat_at) + interval
            return heartbeat
        return COMMENT if self.silent_seconds(now) >= COMMENT_SECONDS else b""

    def due_at(self, now: float) -> float:
        """Return when it is to be looked at next."""
        if self._abort_at is not None:
            return self._abort_at
        if self.paused:
            return now + CURSOR_SECONDS
        at = min(self._heartbeat_at, now - self.silent_seconds(now) + COMMENT_SECONDS, self._ends_at)
        return at if self.batches.is_total else min(at, now + CURSOR_SECONDS)

    def end_reason(self, now: float) -> ReconnectReason | None:
        """Return why its time is over, or None while it is not."""
        return self._end_reason if now >= self._ends_at else None

    def silent_seconds(self, now: float) -> float:
        """Return how long nothing was written."""
        return now - max(self._written_at, self.batches.sent_at if self._has_all_of_view() else 0.0)

    def close(self, abort_at: float, *last: bytes) -> None:
        """End the response with the frames ``last``; whatever is still unread at ``abort_at`` is dropped."""
        self._abort_at = abort_at
        self._cancel_task()
        self._finish(*last)

    def is_overdue(self, now: float) -> bool:
        """Return whether it is closing, and had its time."""
        return self._abort_at is not None and now >= self._abort_at

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        raise NotImplementedError

    async def drained(self) -> None:
        """Wait until the write buffer is no longer full, or the connection is gone."""
        while self.paused and not self.is_closing:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def pause_writing(self) -> None:
        """Called by the transport: the write buffer is full."""
        self.paused = True

    def resume_writing(self) -> None:
        """Called by the transport: there is room in the write buffer."""
        self.paused = False
        self._wake()
        if self.is_following:
            self._listener.on_writable(self)

    def fell_behind(self) -> None:
        """Called by the broadcaster: the ring no longer has what comes next."""
        self._listener.on_too_slow(self)

    def connection_gone(self) -> None:
        """Called when the connection is gone, perhaps more than once."""
        self._abort_at = self._abort_at or 0.0
        self._cancel_task()
        self._listener.on_closed(self)
        self._wake()

    def _send(self, batch: Batch, sent: int) -> None:
        """Write a batch as it is, from byte ``sent`` of its chunk on."""
        raise NotImplementedError

    def _write(self, *frames: bytes) -> None:
        """Write frames."""
        raise NotImplementedError

    def _finish(self, *frames: bytes) -> None:
        """Write the last frames and end the response; the connection closes when they are out."""
        raise NotImplementedError

    def _has_all_of_view(self) -> bool:
        """Return whether everything that its view has shown went out to this one as well."""
        return self._sent_cursor <= self.batches.sent_cursor <= self.cursor

    def _last_sent_cursor(self) -> int:
        """Return the cursor after the last event whose id the client has seen."""
        return self.batches.sent_cursor if self._has_all_of_view() else self._sent_cursor

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
