"""Applies the log of events to the documents table, in batches, each with its position in one transaction.

Whoever dies when, no event is applied twice and none is missed. Every replica runs a projector; a lock on the
position lets one at a time apply, so a replica that stops is replaced at once.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import OperationProgress
from services.api.archive.keeping import keep_projected
from services.api.archive.spans import next_log_base
from services.api.log.entry import Entry
from services.api.log.event_log import EventLog
from services.api.log.position import GapReason, Position
from services.api.projection.document_rows import read_rows, write_rows
from services.api.projection.projection_position import begin_log, move_position, read_position
from services.api.projection.reducer import replay_states
from services.lifecycle.lost_log_statements import forget_event_positions
from services.runtime.errors import is_transient
from services.runtime.process.asyncio_guards import is_cancelled
from services.runtime.process.background import run_step
from services.runtime.process.logging import get_logger

IDLE_SECONDS = 5.0
PAUSE_SECONDS = 0.3
GATHER_SECONDS = 1.0
"""Between batches: a transaction costs as much for one event as for fifty."""
GATHER_ENTRIES = 500
PATIENCE_SECONDS = 2.0
"""A read waits so long for the projector; then it gets what there is, with its position."""

log = get_logger(__name__)


class Projector:
    """Applies the log to the table in ``run``, until cancelled; readers of the table call ``catch_up`` first."""

    def __init__(self, engine: AsyncEngine, event_log: EventLog) -> None:
        self._engine = engine
        self._log = event_log
        self._reached: Position | None = None
        self._has_reached = asyncio.Condition()
        self._wanted = -1
        self._is_asked = asyncio.Event()
        self.log_began = asyncio.Event()
        """Set when the log was found to be another one; whoever sends again what was lost with it clears it."""

    async def run(self) -> None:
        """Project until cancelled; waits for a broker or a database that is away."""
        await self._log.opened()
        while True:
            if not await run_step("projector", self._go_on):
                await asyncio.sleep(PAUSE_SECONDS)

    async def catch_up(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the table knows what this process's streams have shown by now, ``seconds`` at most.

        Else a client that was told ``embedded`` could read ``embedding``, and one that was told ``failed`` could be
        refused the retry.
        """
        offset = self._log.head.offset
        if self._is_at(offset):
            return
        self._wanted = max(self._wanted, offset)
        self._is_asked.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._has_reached:
                await self._has_reached.wait_for(lambda: self._is_at(offset))

    def _is_at(self, offset: int) -> bool:
        reached = self._reached
        if reached is None or reached.offset < offset:
            return False
        # Of a log that was lost it tells nothing, however large: who was reset would read what was before.
        return isinstance(self._log.ring.locate(reached), int)

    async def _go_on(self) -> None:
        if self._reached is None:
            async with self._engine.connect() as connection:
                self._reached = await read_position(connection)
        position = self._reached
        reached = await project_next(self._engine, self._log, position)
        if reached != position and reached == Position.start():
            self.log_began.set()
        await self._arrive(reached)
        if reached != position:
            await self._rest()

    async def _arrive(self, reached: Position) -> None:
        async with self._has_reached:
            self._reached = reached
            self._has_reached.notify_all()

    async def _rest(self) -> None:
        """Let events gather, unless somebody waits for them."""
        if self._is_at(min(self._wanted, self._log.head.offset)):
            self._is_asked.clear()
        rests = [asyncio.create_task(one) for one in (gather(self._log), self._is_asked.wait())]
        try:
            await asyncio.wait(rests, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for rest in rests:
                rest.cancel()


async def project_next(engine: AsyncEngine, event_log: EventLog, position: Position) -> Position:
    """Apply what follows a position and return the new one, or the stored one where that differs."""
    piece = await event_log.read(position)
    if piece.gap is GapReason.UNKNOWN:
        if position.offset > event_log.head.offset and not await event_log.ends_before(position):
            # Another replica has read further. To begin anew would take everybody's table back with it.
            await event_log.wait(event_log.head, IDLE_SECONDS)
            return position
        return await begin_anew(engine, position)
    if piece.gap is GapReason.EXPIRED and position != Position.start():
        log.warning("events_expired_unprojected", position=str(position))
    if not piece.entries:
        await event_log.wait(position, IDLE_SECONDS)
        return position
    try:
        return await apply(engine, position, piece.entries[-1].position, piece.entries)
    except Exception as error:
        if is_transient(error) or is_cancelled():
            raise
        return await _apply_first(engine, position, piece.entries[0])


async def begin_anew(engine: AsyncEngine, position: Position) -> Position:
    """Project another log from its start, since the one of ``position`` is lost; return the stored position.

    What the table knows stays: it was said, and may have been seen.
    """
    async with engine.begin() as connection:
        if not await begin_log(connection, position, await next_log_base(connection)):
            return await read_position(connection)
        await forget_event_positions(connection, str(Position.start()))
    log.warning("projection_restarted", reason="the log was made anew", position=str(position))
    return Position.start()


async def _apply_first(engine: AsyncEngine, position: Position, entry: Entry) -> Position:
    """Apply one entry of a batch that met a bug; if it is the one, leave it out, or all others wait for ever."""
    try:
        return await apply(engine, position, entry.position, [entry])
    except Exception as error:
        if is_transient(error) or is_cancelled():
            raise
        log.exception("event_not_projected", position=str(entry.position))
        return await apply(engine, position, entry.position, (), kept=[entry])


async def gather(event_log: EventLog, seconds: float = GATHER_SECONDS) -> None:
    """Let events gather after a batch, for ``seconds`` or until there are ``GATHER_ENTRIES``."""
    ring, full = event_log.ring, event_log.ring.end + GATHER_ENTRIES
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and await event_log.wait(event_log.head, left):
        if event_log.ring is not ring or ring.end > full:
            return


async def apply(
    engine: AsyncEngine,
    position: Position,
    reached: Position,
    entries: Sequence[Entry],
    *,
    kept: Sequence[Entry] | None = None,
) -> Position:
    """Apply entries that lead from ``position`` to ``reached`` if the projection is there; return its position.

    They are archived with that, or ``kept`` in their place.
    """
    async with engine.begin() as connection:
        base = await move_position(connection, position, reached)
        if base is None:
            return await read_position(connection)
        await _apply_entries(connection, entries)
        await keep_projected(connection, base, position, reached, entries if kept is None else kept)
    return reached


async def _apply_entries(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    spoken_of = {one.event.document_id for one in entries if one.event} - {OperationProgress.document_id}
    rows = await read_rows(connection, sorted(spoken_of))
    current_attempts = {document_id: row.attempt for document_id, row in rows.items() if row.is_uploaded}
    after = replay_states(
        {document_id: row.state for document_id, row in rows.items()}, current_attempts, entries
    )
    await write_rows(connection, rows, after)
