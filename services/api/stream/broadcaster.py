"""One writer for everybody: it visits subscribers in slices and gives each the batch for its cursor.

Those who see everything are visited whenever the log has grown, and all others when something came that they see.

An event that comes alone goes out at once. Under load the writer rests between its rounds, the longer the more
clients there are and the faster events come, so that they gather and each gets several in one write: it costs
about the same for one event as for fifty, and is nearly all that fan-out costs.
"""

import asyncio
import time
from collections.abc import Iterable

from services.api.log.conflation import LAG_ENTRIES
from services.api.log.ring import Ring
from services.api.stream.batches import Batch
from services.api.stream.subscriber import NOT_FOLLOWING, Subscriber
from services.api.stream.viewers import Viewers

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
        self._seeing_all: dict[Subscriber, None] = {}
        self._viewers = Viewers()
        self._behind: dict[Subscriber, None] = {}  # of the viewers, who are to be visited in the next round
        self._ring: Ring | None = None
        self._looked_at = 0  # the cursor up to which the viewers of the ring's entries were found
        self._armed: asyncio.Handle | None = None
        self._round: list[Subscriber] = []
        self._next_round_at = 0.0
        self._round_began_at = 0.0
        self._is_behind = False  # somebody is, who was visited in this round

    def subscribers(self) -> list[Subscriber]:
        """Return all at the log's tail."""
        return [*self._seeing_all, *self._viewers]

    def add(self, subscriber: Subscriber, ring: Ring, cursor: int, *, is_lagging: bool = False) -> None:
        """Let a subscriber follow from a cursor on; one that lags, lags to the end that the ring has now."""
        self._look(ring)
        subscriber.follow(cursor, is_behind=cursor != ring.end, lags_until=ring.end if is_lagging else 0)
        if subscriber.batches.is_total:
            self._seeing_all[subscriber] = None
        else:
            self._viewers.add(subscriber)
        self.push(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber that is gone, or no longer at the tail."""
        self._seeing_all.pop(subscriber, None)
        self._viewers.remove(subscriber)
        self._behind.pop(subscriber, None)
        subscriber.unfollow()

    def wake(self, ring: Ring) -> None:
        """Begin a round for those who see what the log has grown by."""
        self._look(ring)
        if self._armed is not None:
            self._is_behind = True
        elif self._seeing_all or self._behind:
            loop = asyncio.get_running_loop()
            self._armed = loop.call_at(self._next_round_at, self._begin)

    def push(self, subscriber: Subscriber) -> None:
        """Write what is next for one subscriber, and let the writer do the rest."""
        ring = self._ring
        if ring is None or subscriber.paused or not subscriber.is_following:
            return
        self._step(subscriber, ring, asyncio.get_running_loop().time())
        if subscriber.is_behind and not subscriber.paused:
            self.wake(ring)

    def _look(self, ring: Ring) -> None:
        """Find who sees what is new in the ring."""
        if self._ring is not ring:
            self._ring, self._looked_at = ring, ring.end
        if self._looked_at < ring.base:  # and what came is gone again
            self._visit(self._viewers.rouse_all(self._looked_at))
            self._looked_at = ring.end
        for cursor in range(self._looked_at, ring.end):
            event = ring.entry(cursor).event
            if event is not None:
                self._visit(self._viewers.rouse(event, cursor))
        self._looked_at = ring.end

    def _visit(self, subscribers: Iterable[Subscriber]) -> None:
        for subscriber in subscribers:
            if not subscriber.paused:
                self._behind[subscriber] = None

    def _begin(self) -> None:
        self._round = [*self._seeing_all, *self._behind]
        self._behind.clear()
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
        cursor, batches, batch, is_lagging = NOT_FOLLOWING, None, None, False
        for subscriber in subscribers:
            is_alike = subscriber.cursor == cursor and subscriber.batches is batches
            if batch is None or not is_alike or is_lagging or subscriber.lags_until > cursor:
                if subscriber.cursor == end or subscriber.paused:
                    continue
                # Looked up once for neighbours that are alike, which after an event is nearly everybody.
                cursor, batches = subscriber.cursor, subscriber.batches
                batch = self._next_of(subscriber, ring, now)
                if batch is None:
                    continue
                is_lagging = cursor < subscriber.lags_until
                after, chunk, size = batch.end, batch.chunk, len(batch.chunk)
            # A thousand times for each event: whoever is ready gets it with as little else as can be.
            try:
                sent = subscriber.socket_send(chunk) if subscriber.socket_send is not None and size else 0
            except OSError:
                sent = 0  # its transport meets it again, and knows what to do
            if size and sent == size:
                # Written directly: a call would cost more, and the view has noted the rest.
                subscriber.cursor = after
                if subscriber.is_behind:
                    subscriber.is_behind = after != end
                    self._note(subscriber)
            elif not subscriber.paused:
                subscriber.deliver(batch, ring, now, sent)
                self._note(subscriber)

    def _step(self, subscriber: Subscriber, ring: Ring, now: float) -> None:
        batch = self._next_of(subscriber, ring, now)
        if batch is not None:
            subscriber.deliver(batch, ring, now)
            self._note(subscriber)

    def _note(self, subscriber: Subscriber) -> None:
        """Visit a viewer again that is still behind; one that is paused comes by itself."""
        if subscriber.batches.is_total:
            return
        if not subscriber.is_behind:
            subscriber.batches.all_behind = False
        elif not subscriber.paused:
            self._behind[subscriber] = None

    def _next_of(self, subscriber: Subscriber, ring: Ring, now: float) -> Batch | None:
        """Return what a subscriber is to be sent; None when it is no longer at the tail."""
        if not subscriber.is_following or not (subscriber.is_behind or subscriber.batches.is_total):
            return None
        if subscriber.cursor < ring.base:
            subscriber.fell_behind()
            return None
        if ring.end - subscriber.cursor > LAG_ENTRIES:
            subscriber.lags_until = ring.end
        is_lagging = subscriber.cursor < subscriber.lags_until
        batch = subscriber.batches.after(ring, subscriber.cursor, is_lagging=is_lagging)
        if batch.end != ring.end:
            self._is_behind = True
        subscriber.batches.mark_sent(batch, now)
        return batch
