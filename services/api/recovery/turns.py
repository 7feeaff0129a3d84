"""Gives the attempts that wait for it their turn: when an earlier one of their owner ends, and in each sweep.

Each API process hears all ends from the log, whichever process has made them. Several may give the same turn at
once: each attempt is noted under its row's lock, and sent once. What nobody has heard of the sweeper finds.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import LogEvent, StatusEvent
from contracts.lanes import Lane
from contracts.statuses import TERMINAL
from services.api.log.event_log import EventLog
from services.api.log.ring import Ring
from services.lifecycle.attempts import send_command
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares, owners_waiting, take_turns
from services.runtime.database.engine import autocommit
from services.runtime.process.background import run_step

ENTRIES = 500
"""Of the log that are looked through at a time."""
GATHER_SECONDS = 0.05
"""Between two looks: a transaction costs as much for one turn as for five, and the windows outlast it."""


@dataclass
class Turns:
    """Hears of ends by ``log_grew``, and gives turns in ``run``."""

    engine: AsyncEngine
    reporter: StatusReporter
    shares: Shares
    event_log: EventLog
    _ended: set[str] = field(default_factory=set)
    """Owners of whom an attempt has ended; the empty name for nobody's."""
    _is_told: asyncio.Event = field(default_factory=asyncio.Event)
    _cursor: int | None = None

    async def run(self) -> None:
        """Give turns until cancelled; waits for a broker or a database that is away."""
        await self.event_log.opened()
        self.event_log.listen(self)
        while True:
            await self._is_told.wait()
            self._is_told.clear()
            self._look_on()
            while self._ended:
                await run_step("turns", partial(self.give, self._ended.pop()))
            await asyncio.sleep(GATHER_SECONDS)

    def log_grew(self) -> None:
        """Look through what is new, in ``run``."""
        self._is_told.set()

    def log_was_replaced(self, old: Ring) -> None:
        """Begin with what another ring has; the sweeper finds what was missed."""
        self._cursor = None
        self._is_told.set()

    async def give_all(self) -> int:
        """Give their turn to all whose owners have room; return how many were sent. Raises Unavailable."""
        async with autocommit(self.engine).connect() as connection:
            rows = await owners_waiting(connection)
        return sum([await self._give(owner, lane) for owner, lane in rows])

    def _look_on(self) -> None:
        ring = self.event_log.ring
        self._cursor = ring.base if self._cursor is None else max(self._cursor, ring.base)
        while entries := ring.entries(self._cursor, ENTRIES):
            self._cursor += len(entries)
            self._ended |= {
                entry.event.owner_id or "" for entry in entries if entry.event and _ends(entry.event)
            }

    async def give(self, owner: str) -> None:
        """Give turns to an owner (empty for nobody) in both lanes. Raises Unavailable."""
        for lane in Lane:
            await self._give(owner, lane)

    async def _give(self, owner: str, lane: str) -> int:
        """Give turns to an owner's attempts, those that wait longest first, as far as there is room."""
        async with self.engine.begin() as connection:
            keys = await take_turns(connection, owner, lane, self.shares)
            for document_id, attempt in keys:
                await send_command(self.reporter.publisher, document_id, attempt, lane)
        return len(keys)


def _ends(event: LogEvent) -> bool:
    """Return whether an event ends work of its owner: an attempt, or all at a document that is deleted."""
    return not isinstance(event, StatusEvent) or event.status in TERMINAL
