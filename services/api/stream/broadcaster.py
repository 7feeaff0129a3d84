"""One writer for everybody: it visits subscribers in slices and gives each the batch for its cursor.

An event that comes alone goes out at once. Under load the writer rests between its rounds, the longer the more
clients there are and the faster events come, so that they gather and each gets several in one write: it costs
about the same for one event as for fifty, and is nearly all that fan-out costs.
"""

import asyncio
import time

from services.api.log.ring import Ring
from services.api.stream.batches import Batch
from services.api.stream.subscriber import NOT_FOLLOWING, Subscriber

SLICE = 128
"""Subscribers visited in one turn of the event loop, so that requests get theirs."""
PACING_SECONDS = (0.004, 0.1)
"""Shortest and longest rest after a round."""
PACING_RATIO = 1.0
"""Of a rest to the round before it: writing takes half of the process's time at most."""
BUSY_PACING_RATIO = 3.0
"""The same when events came during the round, as they do in a burst: a quarter, and more gather."""


class Broadcaster:
    """The subscribers at the log's tail."""

    def __init__(self) -> None:
        self.subscribers: dict[Subscriber, None] = {}
        self._ring: Ring | None = None
        self._armed: asyncio.Handle | None = None
        self._round: list[Subscriber] = []
        self._next_round_at = 0.0
        self._round_began_at = 0.0
        self._is_behind = False  # somebody is, who was visited in this round

    def add(self, subscriber: Subscriber, ring: Ring, cursor: int) -> None:
        """Let a subscriber follow from a cursor on."""
        self._ring = ring
        subscriber.follow(cursor)
        self.subscribers[subscriber] = None
        self.push(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber that is gone, or no longer at the tail."""
        self.subscribers.pop(subscriber, None)
        subscriber.unfollow()

    def wake(self, ring: Ring) -> None:
        """Begin a round: the log has grown."""
        self._ring = ring
        if self._armed is not None:
            self._is_behind = True
        elif self.subscribers:
            loop = asyncio.get_running_loop()
            self._armed = loop.call_at(self._next_round_at, self._begin)

    def push(self, subscriber: Subscriber) -> None:
        """Write what is next for one subscriber, and let the writer do the rest."""
        ring = self._ring
        if ring is None or subscriber.paused or not subscriber.is_following:
            return
        self._step(subscriber, ring, asyncio.get_running_loop().time())
        if subscriber.cursor != ring.end and not subscriber.paused:
            self.wake(ring)

    def _begin(self) -> None:
        self._round = list(self.subscribers)
        self._is_behind = False
        self._round_began_at = time.monotonic()
        self._go_on()

    def _go_on(self) -> None:
        ring = self._ring
        loop = asyncio.get_running_loop()
        now = loop.time()
        visited = self._round[-SLICE:]
        del self._round[-SLICE:]
        if ring is not None:
            self._step_all(visited, ring, now)
        if self._round:
            self._armed = loop.call_soon(self._go_on)
        else:
            self._end_round(ring)

    def _end_round(self, ring: Ring | None) -> None:
        shortest, longest = PACING_SECONDS
        ratio = BUSY_PACING_RATIO if self._is_behind else PACING_RATIO
        rest = ratio * (time.monotonic() - self._round_began_at)
        self._next_round_at = asyncio.get_running_loop().time() + min(max(rest, shortest), longest)
        self._armed = None
        if ring is not None and self._is_behind:
            self.wake(ring)

    def _step_all(self, subscribers: list[Subscriber], ring: Ring, now: float) -> None:
        end = ring.end
        cursor, batches, batch = NOT_FOLLOWING, None, None
        for subscriber in subscribers:
            if batch is None or subscriber.cursor != cursor or subscriber.batches is not batches:
                if subscriber.cursor == end or subscriber.paused:
                    continue
                # Looked up once for neighbours that are alike, which after an event is nearly everybody.
                cursor, batches = subscriber.cursor, subscriber.batches
                batch = self._next_of(subscriber, ring, now)
                if batch is None:
                    continue
                after, chunk, size = batch.end, batch.chunk, len(batch.chunk)
            # A thousand times for each event: whoever is ready gets it with as little else as can be.
            try:
                sent = subscriber.socket_send(chunk) if subscriber.socket_send is not None and size else 0
            except OSError:
                sent = 0  # its transport meets it again, and knows what to do
            if size and sent == size:
                subscriber.cursor = (
                    after  # written directly: a call would cost more, and the view has noted the rest
                )
            elif not subscriber.paused:
                subscriber.deliver(batch, ring, now, sent)

    def _step(self, subscriber: Subscriber, ring: Ring, now: float) -> None:
        batch = self._next_of(subscriber, ring, now)
        if batch is not None:
            subscriber.deliver(batch, ring, now)

    def _next_of(self, subscriber: Subscriber, ring: Ring, now: float) -> Batch | None:
        """Return what a subscriber is to be sent; None when it is no longer at the tail."""
        if not subscriber.is_following:
            return None
        if subscriber.cursor < ring.base:
            subscriber.fell_behind()
            return None
        batch = subscriber.batches.after(ring, subscriber.cursor)
        if batch.end != ring.end:
            self._is_behind = True
        subscriber.batches.mark_sent(batch, now)
        return batch
