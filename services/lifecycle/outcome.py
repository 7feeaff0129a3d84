"""The end of an attempt: decided once, in the database, and told as often as it takes.

Without that, a step that runs twice could end in two ways: a ``failed`` whose confirm was lost, and an
``embedded`` by the redelivery. Whoever decides second finds the first decision, and tells that one.
"""

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import StatusEvent
from contracts.failures import DocumentFailed
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.tables import attempts, documents


async def record_outcome(connection: AsyncConnection, document: DocumentAttempt, event: StatusEvent) -> None:
    """Note the terminal event of an attempt; the connection is that of ``locked_attempt(…, exclusive=True)``."""
    await connection.execute(
        update(documents)
        .where(documents.c.document_id == document.document_id)
        .values(ending=event.model_dump(mode="json", by_alias=True), announced_at=None)
    )


async def publish_outcome(
    engine: AsyncEngine, reporter: StatusReporter, document_id: str, attempt: int
) -> None:
    """Append the ending of an attempt to the log unless that is done. Raises Unavailable, Superseded."""
    query = select(documents.c.ending, documents.c.announced_at).where(documents.c.document_id == document_id)
    note = update(documents).where(documents.c.document_id == document_id).values(announced_at=func.now())
    async with locked_attempt(engine, document_id, attempt, even_if_done=True) as (connection, _):
        ending, announced_at = (await connection.execute(query)).one()
        if ending is None or announced_at is not None:
            return
        await reporter.append(StatusEvent.model_validate(ending))
        await connection.execute(note)


async def fail(
    engine: AsyncEngine,
    reporter: StatusReporter,
    document: DocumentAttempt,
    failure: DocumentFailed,
    stage: str,
) -> None:
    """End an attempt as failed, and tell so. What it had stored is removed: nothing will complete it.

    Raises Superseded when it has ended otherwise, was deleted or started anew; Unavailable.
    """
    async with locked_attempt(engine, document.document_id, document.attempt, exclusive=True) as (
        connection,
        _,
    ):
        await record_failure(connection, reporter, document, failure, stage)
    await publish_outcome(engine, reporter, document.document_id, document.attempt)


async def record_failure(
    connection: AsyncConnection,
    reporter: StatusReporter,
    document: DocumentAttempt,
    failure: DocumentFailed,
    stage: str,
) -> None:
    """``record_outcome`` for a failure; ``publish_outcome`` follows once the transaction is committed."""
    await record_outcome(connection, document, reporter.failure(document, failure, stage))
    await connection.execute(
        delete(attempts).where(
            attempts.c.document_id == document.document_id, attempts.c.attempt == document.attempt
        )
    )
