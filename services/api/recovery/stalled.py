"""Deals with stalled documents, of which nothing is heard: their message is lost, or waits in a very long queue.

The command is sent again, which is safe in either case: whoever finds the work done does nothing. Each time the
patience doubles, so that a long queue is not made longer, and after the last time the document fails.
"""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.failures import DocumentFailed, FailureCode
from services.lifecycle.attempts import send_command
from services.lifecycle.document_attempt import awaited_stage, locked_attempt
from services.lifecycle.document_statements import count_resend
from services.lifecycle.outcome import fail
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.age import latest_past
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents
from services.runtime.errors import Superseded
from services.runtime.process.logging import get_logger

MAX_RESENDS = 6
BATCH = 100

GIVEN_UP = DocumentFailed(
    FailureCode.DELIVERY_LIMIT,
    f"Nothing was heard of the document, though it was sent {MAX_RESENDS + 1} times.",
)

log = get_logger(__name__)


async def resend_stalled(engine: AsyncEngine, reporter: StatusReporter, silence: timedelta) -> int:
    """Send the commands of stalled documents again, or fail them; return their number. Raises Unavailable."""
    # What is told of by a clock that runs ahead must not keep a lost command waiting until the others are there.
    heard_at = latest_past(
        documents.c.updated_at, documents.c.attempted_at, documents.c.commanded_at, documents.c.resent_at
    )
    query = (
        select(documents.c.document_id, documents.c.attempt, documents.c.resend_count, documents.c.lane)
        .where(IS_UPLOADED, IS_ALIVE, documents.c.outcome.is_(None), documents.c.commanded_at.is_not(None))
        .where(heard_at < func.now() - func.power(2, documents.c.resend_count) * silence)
        .limit(BATCH)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    for document_id, attempt, resends, lane in rows:
        log.warning("document_stalled", document_id=document_id, attempt=attempt, resends=resends)
        if resends >= MAX_RESENDS:
            await _give_up(engine, reporter, document_id, attempt)
        elif await _count(engine, document_id, attempt, resends):
            await send_command(reporter.publisher, document_id, attempt, lane)
    return len(rows)


async def _count(engine: AsyncEngine, document_id: str, attempt: int, resends: int) -> bool:
    async with engine.begin() as connection:
        return await count_resend(connection, document_id, attempt, resends)


async def _give_up(engine: AsyncEngine, reporter: StatusReporter, document_id: str, attempt: int) -> None:
    try:
        async with locked_attempt(engine, document_id, attempt) as (connection, current):
            stage = await awaited_stage(connection, current)
        await fail(engine, reporter, current, GIVEN_UP, stage.stage)
    except Superseded:
        return
