"""Gives the attempts that wait for it their turn: when an earlier one of their owner ends, and in each sweep.

Each API process hears all ends from the log, whichever process has made them. Several may give the same turn at
once: each attempt is noted under its row's lock, and sent once. What nobody has heard of the sweeper finds.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import DocumentDeleted, LogEvent, StatusEvent
from contracts.lanes import Lane
from contracts.statuses import TERMINAL
from services.api.log.event_log import EventLog
from services.api.log.log_reader import LogReader
from services.lifecycle.attempts import send_command
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares, owners_waiting, take_turns
from services.runtime.database.engine import autocommit
from services.runtime.process.background import run_step

GATHER_SECONDS = 0.05
"""Between two looks: a transaction costs as much for one turn as for five, and the windows outlast it."""


@dataclass
class Turns:
    """Hears of ends from the log, and gives turns in ``run``."""

    engine: AsyncEngine
    reporter: StatusReporter
    shares: Shares
    event_log: EventLog
    _ended: set[str] = field(default_factory=set)
    """Owners of whom an attempt has ended; the empty name for nobody's."""

    async def run(self) -> None:
        """Give turns until cancelled; waits for a broker or a database that is away."""
        reader = LogReader(self.event_log)  # what it misses the sweeper finds
        await reader.open()
        while True:
            await reader.grown()
            ends = (entry.event for entry in reader.new_entries() if entry.event and _ends(entry.event))
            self._ended |= {event.owner_id or "" for event in ends}
            while self._ended:
                await run_step("turns", partial(self.give, self._ended.pop()))
            await asyncio.sleep(GATHER_SECONDS)

    async def give_all(self) -> int:
        """Give their turn to all whose owners have room; return how many were sent. Raises Unavailable."""
        async with autocommit(self.engine).connect() as connection:
            rows = await owners_waiting(connection)
        return sum([await self._give(owner, lane) for owner, lane in rows])

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
    return isinstance(event, DocumentDeleted) or (isinstance(event, StatusEvent) and event.status in TERMINAL)
