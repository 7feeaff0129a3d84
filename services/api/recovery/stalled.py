"""Documents from which nothing is heard: their message is nowhere, or waits in a very long queue.

The command is sent again, which is safe in either case: who finds the work done does nothing. Each time the
patience doubles, so that a long queue is not made longer, and after the last time the document fails.
"""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages
from contracts.failures import DocumentFailed, FailureCode
from contracts.statuses import Status
from services.lifecycle.document_attempt import locked_attempt
from services.lifecycle.outcome import fail
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import documents
from services.runtime.errors import Superseded
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.logging import get_logger

MAX_RESENDS = 6
BATCH = 100

GIVEN_UP = DocumentFailed(
    FailureCode.DELIVERY_LIMIT,
    f"Nothing was heard of the document, though it was sent {MAX_RESENDS + 1} times.",
)

log = get_logger(__name__)


async def resend_stalled(
    engine: AsyncEngine, publisher: Publisher, reporter: StatusReporter, silence: timedelta
) -> int:
    """Send the command of silent documents again, or fail them; how many there were. Raises Unavailable."""
    heard = func.greatest(
        documents.c.updated_at, documents.c.attempted_at, documents.c.commanded_at, documents.c.reminded_at
    )
    query = (
        select(documents.c.document_id, documents.c.attempt, documents.c.reminders)
        .where(documents.c.sha256.is_not(None), documents.c.deleted_at.is_(None))
        .where(documents.c.ending.is_(None), documents.c.commanded_at.is_not(None))
        .where(heard < func.now() - func.power(2, documents.c.reminders) * silence)
        .limit(BATCH)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    for document_id, attempt, reminders in rows:
        log.warning("nothing was heard of a document", document_id=document_id, reminders=reminders)
        if reminders >= MAX_RESENDS:
            await _give_up(engine, reporter, document_id, attempt)
        elif await _count(engine, document_id, attempt, reminders):
            # The parser finds what is stored already, and hands on what is not embedded yet.
            for command in stages.first().command.for_attempt(document_id, attempt):
                await publisher.command(command)
    return len(rows)


async def _count(engine: AsyncEngine, document_id: str, attempt: int, reminders: int) -> bool:
    """Note a reminder; False when another replica was faster."""
    note = (
        update(documents)
        .where(documents.c.document_id == document_id, documents.c.attempt == attempt)
        .where(documents.c.reminders == reminders)
        .values(reminders=reminders + 1, reminded_at=func.now())
        .returning(documents.c.document_id)
    )
    async with engine.begin() as connection:
        return (await connection.execute(note)).one_or_none() is not None


async def _give_up(engine: AsyncEngine, reporter: StatusReporter, document_id: str, attempt: int) -> None:
    shown = select(documents.c.status).where(documents.c.document_id == document_id)
    try:
        async with locked_attempt(engine, document_id, attempt) as (connection, document):
            status = Status((await connection.execute(shown)).scalar_one())
        stage = _stage_after(status)
        await fail(engine, reporter, document, GIVEN_UP, stage.stage)
    except Superseded:
        return


def _stage_after(status: Status) -> stages.StageSpec:
    """Find the stage that is waited for: that of the status, or the next one where the status has ended it."""
    spec = stages.of_status(status) or stages.first()
    ended = bool(spec.statuses) and status is spec.statuses[-1]
    return (stages.following(spec) if ended else None) or spec
