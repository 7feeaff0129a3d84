"""One writer for everybody: it visits clients in slices and gives each the batch for its cursor.

An event that comes alone goes out at once. Under load the writer rests between its rounds, the longer the more
clients there are and the faster events come, so that they gather and each client gets several in one write: it
costs about the same for one event as for fifty, and is nearly all that fan-out costs.
"""

import asyncio
import time

from services.api.log.ring import Ring
from services.api.stream.batches import Batch
from services.api.stream.subscriber import REPLAYING, Subscriber

SLICE = 128
"""Clients visited in one turn of the event loop, so that requests get theirs."""
PACING_SECONDS = (0.004, 0.1)
"""Shortest and longest rest after a round."""
PACING_RATIO = 1.0
"""Of a rest to the round before it: writing takes half of the process's time at most."""
BUSY_PACING_RATIO = 3.0
"""The same when events came during the round, as they do in a burst: a quarter, and more gather."""


class Broadcaster:
    """The clients at the log's tail."""

    def __init__(self) -> None:
        self.clients: dict[Subscriber, None] = {}
        self._ring: Ring | None = None
        self._armed: asyncio.Handle | None = None
        self._round: list[Subscriber] = []
        self._next_round_at = 0.0
        self._round_began_at = 0.0
        self._is_behind = False  # somebody is, who was visited in this round

    def add(self, client: Subscriber, ring: Ring, cursor: int) -> None:
        """Let a client follow from a cursor on."""
        self._ring = ring
        client.cursor = client.sent_cursor = cursor
        self.clients[client] = None
        self.push(client)

    def remove(self, client: Subscriber) -> None:
        """A client is gone, or follows no longer."""
        self.clients.pop(client, None)
        client.cursor = REPLAYING

    def wake(self, ring: Ring) -> None:
        """The log has grown."""
        self._ring = ring
        if self._armed is not None:
            self._is_behind = True
        elif self.clients:
            loop = asyncio.get_running_loop()
            self._armed = loop.call_at(self._next_round_at, self._begin)

    def push(self, client: Subscriber) -> None:
        """Write what is next for one client, and let the writer do the rest."""
        ring = self._ring
        if ring is None or client.paused or client.closing or client.cursor == REPLAYING:
            return
        self._step(client, ring, asyncio.get_running_loop().time())
        if client.cursor != ring.end and not client.paused:
            self.wake(ring)

    def _begin(self) -> None:
        self._round = list(self.clients)
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

    def _step_all(self, clients: list[Subscriber], ring: Ring, now: float) -> None:
        end = ring.end
        cursor, batches, batch = REPLAYING, None, None
        for client in clients:
            if batch is None or client.cursor != cursor or client.batches is not batches:
                if client.cursor == end or client.paused:
                    continue
                # Looked up once for neighbours that are alike, which after an event is nearly everybody.
                cursor, batches = client.cursor, client.batches
                batch = self._next_of(client, ring, now)
                if batch is None:
                    continue
                after, chunk, size = batch.end, batch.chunk, len(batch.chunk)
            # A thousand times for each event: whoever is ready gets it with as little else as can be.
            try:
                sent = client.socket_send(chunk) if client.socket_send is not None and size else 0
            except OSError:
                sent = 0  # its transport meets it again, and knows what to do
            if size and sent == size:
                client.cursor = after
            elif not client.paused:
                self._send_batch(client, batch, ring, now, sent)

    def _step(self, client: Subscriber, ring: Ring, now: float) -> None:
        batch = self._next_of(client, ring, now)
        if batch is not None:
            self._send_batch(client, batch, ring, now)

    def _next_of(self, client: Subscriber, ring: Ring, now: float) -> Batch | None:
        """What a client is to be sent; None when it follows no longer."""
        if client.closing or client.cursor == REPLAYING:
            return None
        if client.cursor < ring.base:
            client.hub.close_slow(client)
            return None
        batch = client.batches.after(ring, client.cursor)
        if batch.end != ring.end:
            self._is_behind = True
        client.batches.mark_sent(batch, now)
        return batch

    def _send_batch(self, client: Subscriber, batch: Batch, ring: Ring, now: float, sent: int = 0) -> None:
        client.cursor = batch.end
        if batch.data:
            client.sent_cursor = batch.sent_cursor
            client.written_at = now
            client.send(batch, sent)
            client.paused_at = ring.position(batch.end) if client.paused else None
