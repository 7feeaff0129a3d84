"""Sends again what was lost with the log or the whole broker, once the projector has found another log.

The database knows what is unfinished and what was decided. Commands in lost queues are sent again at once, and not
only when nothing was heard of their documents for long; outcomes that only the lost log had are published into the
new one. All of it is safe to do twice, and on several replicas: each document is noted under its lock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.statuses import TERMINAL
from services.api.projection.projection_position import read_log_beginning
from services.lifecycle.attempts import send_command
from services.lifecycle.lost_log_statements import note_resent, take_lost_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents
from services.runtime.process.logging import get_logger

BATCH = 200

log = get_logger(__name__)


@dataclass
class LostLog:
    """Remembers for which log all was sent again, so that it is looked for once."""

    engine: AsyncEngine
    reporter: StatusReporter
    _resumed: datetime | None = None

    async def resume(self) -> int:
        """Send again what was lost; return its number, 0 where nothing was. Raises Unavailable."""
        async with self.engine.connect() as connection:
            lost_at = await read_log_beginning(connection)
        if lost_at is None or lost_at == self._resumed:
            return 0
        outcomes = await self._publish_outcomes(lost_at)
        commands = await self._send_commands(lost_at)
        self._resumed = lost_at
        if outcomes or commands:
            log.warning("lost_log_resumed", commands=commands, outcomes=outcomes)
        return outcomes + commands

    async def _publish_outcomes(self, lost_at: datetime) -> int:
        # What the table shows was projected, and seen by whoever reads it anew after the reset.
        is_shown = documents.c.status.in_(list(TERMINAL)) & (
            documents.c.status_attempt >= documents.c.attempt
        )
        query = select(documents.c.document_id, documents.c.attempt).where(
            IS_UPLOADED, IS_ALIVE, documents.c.outcome_published_at < lost_at, ~is_shown
        )
        count = 0
        while rows := await self._read(query):
            for document_id, attempt in rows:
                async with self.engine.begin() as connection:
                    event = await take_lost_outcome(connection, document_id, attempt, lost_at)
                    if event is not None:
                        await self.reporter.publish(event)
                        count += 1
        return count

    async def _send_commands(self, lost_at: datetime) -> int:
        query = select(documents.c.document_id, documents.c.attempt, documents.c.lane).where(
            IS_UPLOADED,
            IS_ALIVE,
            documents.c.outcome_published_at.is_(None),
            documents.c.outcome.is_(None),
            documents.c.commanded_at < lost_at,
            or_(documents.c.resent_at.is_(None), documents.c.resent_at < lost_at),
        )
        count = 0
        while rows := await self._read(query):
            for document_id, attempt, lane in rows:
                async with self.engine.begin() as connection:
                    if await note_resent(connection, document_id, attempt, lost_at):
                        await send_command(self.reporter.publisher, document_id, attempt, lane)
                        count += 1
        return count

    async def _read(self, query: "Select[*tuple[Any, ...]]") -> list[Row[*tuple[Any, ...]]]:
        async with self.engine.connect() as connection:
            return list((await connection.execute(query.order_by(func.random()).limit(BATCH))).all())
