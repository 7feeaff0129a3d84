"""One writer for everybody: it visits clients in slices and gives each the batch for its cursor.

An event that comes alone goes out at once. Under load the writer rests between its rounds, the longer the more
clients there are, so that events gather and each client gets several in one write: it costs about the same for one
event as for fifty, and is nearly all that fan-out costs.
"""

import asyncio
import time

from services.api.events.client import REPLAYING, Client
from services.api.events.ring import Ring

SLICE = 128
"""Clients visited in one turn of the event loop, so that requests get theirs."""
REST_SECONDS = (0.004, 0.1)
"""Shortest and longest rest after a round."""
REST_RATIO = 3.0
"""Of a rest to the round before it: writing takes a quarter of the process's time at most."""


class Fanout:
    """The clients at the log's tail."""

    def __init__(self) -> None:
        self.clients: dict[Client, None] = {}
        self._ring: Ring | None = None
        self._armed: asyncio.Handle | None = None
        self._round: list[Client] = []
        self._next_round_at = 0.0
        self._round_began_at = 0.0
        self._is_behind = False  # somebody is, who was visited in this round

    def add(self, client: Client, ring: Ring, cursor: int) -> None:
        """Let a client follow from a cursor on."""
        self._ring = ring
        client.cursor = client.told = cursor
        self.clients[client] = None
        self.push(client)

    def remove(self, client: Client) -> None:
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

    def push(self, client: Client) -> None:
        """Write what is next for one client, and let the writer do the rest."""
        ring = self._ring
        if ring is None or client.paused or client.closing or client.cursor == REPLAYING:
            return
        self._visit(client, ring, asyncio.get_running_loop().time())
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
            end = ring.end
            for client in visited:
                if client.cursor != end and not client.paused:
                    self._visit(client, ring, now)
        if self._round:
            self._armed = loop.call_soon(self._go_on)
        else:
            self._end_round(ring)

    def _end_round(self, ring: Ring | None) -> None:
        shortest, longest = REST_SECONDS
        rest = REST_RATIO * (time.monotonic() - self._round_began_at)
        self._next_round_at = asyncio.get_running_loop().time() + min(max(rest, shortest), longest)
        self._armed = None
        if ring is not None and self._is_behind:
            self.wake(ring)

    def _visit(self, client: Client, ring: Ring, now: float) -> None:
        if client.closing or client.cursor == REPLAYING:
            return
        if client.cursor < ring.base:
            client.hub.close_slow(client)
            return
        batch = client.batches.after(ring, client.cursor)
        client.cursor = batch.end
        if batch.end != ring.end:
            self._is_behind = True
        if batch.data:
            client.told = batch.shown
            client.written_at = now
            client.send(batch)
            client.paused_at = ring.position(batch.end) if client.paused else None
