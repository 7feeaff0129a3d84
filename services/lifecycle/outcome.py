"""The end of an attempt: decided once, in the database, and told as often as it takes.

Without that, a step that runs twice could end in two ways: a ``failed`` whose confirm was lost, and an
``embedded`` by the redelivery. Whoever decides second finds the first decision, and tells that one.
"""

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import StatusEvent
from contracts.failures import DocumentFailed, Stage
from services.lifecycle.document_attempt import FencedDocument, fenced
from services.lifecycle.status_reporter import Reporter
from services.runtime.database.tables import attempts, documents


async def decide(connection: AsyncConnection, document: FencedDocument, event: StatusEvent) -> None:
    """Note the terminal event of an attempt; the connection is that of ``fenced(…, alone=True)``."""
    await connection.execute(
        update(documents)
        .where(documents.c.document_id == document.document_id)
        .values(ending=event.model_dump(mode="json", by_alias=True), announced_at=None)
    )


async def announce(engine: AsyncEngine, reporter: Reporter, document_id: str, attempt: int) -> None:
    """Append the ending of an attempt to the log unless that is done. Raises Unavailable, Superseded."""
    query = select(documents.c.ending, documents.c.announced_at).where(documents.c.document_id == document_id)
    note = update(documents).where(documents.c.document_id == document_id).values(announced_at=func.now())
    async with fenced(engine, document_id, attempt, even_if_done=True) as (connection, _):
        ending, announced_at = (await connection.execute(query)).one()
        if ending is None or announced_at is not None:
            return
        await reporter.append(StatusEvent.model_validate(ending))
        await connection.execute(note)


async def fail(
    engine: AsyncEngine, reporter: Reporter, document: FencedDocument, failure: DocumentFailed, stage: Stage
) -> None:
    """End an attempt as failed, and tell so. What it had stored is removed: nothing will complete it.

    Raises Superseded when it has ended otherwise, was deleted or started anew; Unavailable.
    """
    async with fenced(engine, document.document_id, document.attempt, alone=True) as (connection, _):
        await decide_failure(connection, reporter, document, failure, stage)
    await announce(engine, reporter, document.document_id, document.attempt)


async def decide_failure(
    connection: AsyncConnection,
    reporter: Reporter,
    document: FencedDocument,
    failure: DocumentFailed,
    stage: Stage,
) -> None:
    """``decide`` for a failure; ``announce`` follows once the transaction is committed."""
    await decide(connection, document, reporter.failure(document, failure, stage))
    await connection.execute(
        delete(attempts).where(
            attempts.c.document_id == document.document_id, attempts.c.attempt == document.attempt
        )
    )
