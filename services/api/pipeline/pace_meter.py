"""Measures the paces of parsing and embedding from the log: each progress says what was done since the one before.

Time counts while work goes on: a pause of more than ``LONGEST_GAP_SECONDS`` is nobody's work. Older work counts for
less and less, so that a second embedder shows within a minute or two. Every replica hears all of it and notes the
same.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import LogEvent, StatusEvent
from contracts.statuses import TERMINAL, Status
from services.api.log.event_log import EventLog
from services.api.log.log_reader import LogReader
from services.pacing.pace_table import note_paces
from services.pacing.time_left import Paces
from services.runtime.process.background import run_step

HALF_LIFE_SECONDS = 60.0
LONGEST_GAP_SECONDS = 5.0
NOTED_EVERY_SECONDS = 5.0
MOST_DOCUMENTS = 10_000


@dataclass
class Meter:
    """Units and seconds of work, of which half is forgotten after each ``HALF_LIFE_SECONDS`` of work."""

    units: float = 0.0
    seconds: float = 0.0
    at: datetime | None = None

    def add(self, units: float, at: datetime) -> None:
        """Count units that were done by a moment."""
        gap = (at - self.at).total_seconds() if self.at else 0.0
        worked = min(max(gap, 0.0), LONGEST_GAP_SECONDS)
        kept = 0.5 ** (worked / HALF_LIFE_SECONDS)
        self.units, self.seconds = self.units * kept + units, self.seconds * kept + worked
        self.at = max(at, self.at) if self.at else at

    @property
    def pace(self) -> float | None:
        """Units in a second; None before there was a second of work."""
        return self.units / self.seconds if self.seconds >= 1.0 and self.units else None


@dataclass
class PaceMeter:
    """Listens to the log, and notes in ``run`` what it has measured."""

    engine: AsyncEngine
    event_log: EventLog
    _pages: Meter = field(default_factory=Meter)
    _chunks: Meter = field(default_factory=Meter)
    _chunks_of_pages: float = 0.0
    _pages_of_chunks: float = 0.0
    _done: OrderedDict[tuple[str, int, Status], int] = field(default_factory=OrderedDict)

    async def run(self) -> None:
        """Measure until cancelled."""
        # What was before this process began, another has measured.
        reader = LogReader(self.event_log, begins_at_end=True)
        await reader.open()
        while True:
            await reader.grown()
            for entry in reader.new_entries():
                if entry.event is not None:
                    self.take(entry.event)
            await run_step("paces", self._note)
            await asyncio.sleep(NOTED_EVERY_SECONDS)

    def measured(self) -> Paces:
        """Return the paces as they are now."""
        ratio = self._chunks_of_pages / self._pages_of_chunks if self._pages_of_chunks else None
        return Paces(self._pages.pace, self._chunks.pace, ratio)

    def take(self, event: LogEvent) -> None:
        """Count what an event tells to be done; of producers elsewhere nothing, whose pace is not ours."""
        if not isinstance(event, StatusEvent) or event.is_of_producer():
            return
        if event.status in {Status.PARSING, Status.PARSED}:
            total = "pagesDone" if event.status is Status.PARSING else "pageCount"
            self._count(self._pages, event, Status.PARSING, total)
        if event.status in {Status.EMBEDDING, Status.EMBEDDED}:
            total = "embeddedCount" if event.status is Status.EMBEDDING else "embeddingCount"
            self._count(self._chunks, event, Status.EMBEDDING, total)
        if event.status is Status.PARSED and _number(event, "pageCount") > 0:
            self._chunks_of_pages = self._chunks_of_pages * 0.9 + _number(event, "chunkCount")
            self._pages_of_chunks = self._pages_of_chunks * 0.9 + _number(event, "pageCount")
        if event.status in TERMINAL:
            self._forget(event)

    def _count(self, meter: Meter, event: StatusEvent, kind: Status, total: str) -> None:
        key = (event.document_id, event.attempt, kind)
        done = _number(event, total)
        meter.add(max(0, done - self._done.get(key, 0)), event.timestamp)
        self._done[key] = max(done, self._done.get(key, 0))
        if len(self._done) > MOST_DOCUMENTS:
            self._done.popitem(last=False)

    def _forget(self, event: StatusEvent) -> None:
        for kind in (Status.PARSING, Status.EMBEDDING):
            self._done.pop((event.document_id, event.attempt, kind), None)

    async def _note(self) -> None:
        async with self.engine.begin() as connection:
            await note_paces(connection, self.measured())


def _number(event: StatusEvent, key: str) -> int:
    value = event.metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
