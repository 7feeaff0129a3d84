"""The outcome of an attempt: decided once, in the database, and published as often as it takes.

A transactional outbox for one event. Without it, a step that runs twice could end in two ways: a ``failed`` whose
confirm was lost, and an ``embedded`` by the redelivery. Whoever decides second finds the first decision, and
publishes that one.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.failures import DocumentFailed, FailureCode
from services.lifecycle.attempt_statements import remove_attempt
from services.lifecycle.document_attempt import DocumentAttempt, Lock, awaited_stage, locked_attempt
from services.lifecycle.document_statements import record_outcome, take_outcome
from services.lifecycle.status_reporter import StatusReporter

CANCELLED = DocumentFailed(FailureCode.CANCELLED, "The processing of the document was cancelled.")


async def publish_outcome(
    engine: AsyncEngine, reporter: StatusReporter, document_id: str, attempt: int
) -> None:
    """Append the outcome of an attempt to the log unless that is done. Raises Unavailable."""
    async with engine.begin() as connection:
        if event := await take_outcome(connection, document_id, attempt):
            await reporter.publish(event)


async def fail(
    engine: AsyncEngine,
    reporter: StatusReporter,
    attempt: DocumentAttempt,
    failure: DocumentFailed,
    stage: str,
) -> None:
    """End an attempt as failed, and publish that. What it had stored is removed: nothing will complete it.

    Raises Superseded when it has ended otherwise, was deleted or started anew; Unavailable.
    """
    async with locked_attempt(engine, *attempt.key, lock=Lock.EXCLUSIVE) as (connection, _):
        await record_failure(connection, reporter, attempt, failure, stage)
    await publish_outcome(engine, reporter, *attempt.key)


async def cancel(
    engine: AsyncEngine, reporter: StatusReporter, document_id: str, attempt: int | None = None
) -> DocumentAttempt:
    """Decide that an attempt, the current one unless told, ends as cancelled; ``publish_outcome`` is to follow.

    From then on nothing is stored for it, and whoever works on it stops within a second. An attempt that has ended
    already is returned as it is, with ``is_done``. Raises Superseded where it is not the current one, or the
    document was deleted.
    """
    async with locked_attempt(engine, document_id, attempt, lock=Lock.EXCLUSIVE, even_if_done=True) as (
        connection,
        current,
    ):
        if not current.is_done:
            stage = await awaited_stage(connection, current)
            await record_failure(connection, reporter, current, CANCELLED, stage.stage)
    return current


async def record_failure(
    connection: AsyncConnection,
    reporter: StatusReporter,
    attempt: DocumentAttempt,
    failure: DocumentFailed,
    stage: str,
) -> None:
    """Record a failure as the outcome, under the exclusive lock; ``publish_outcome`` follows the commit."""
    await record_outcome(connection, attempt, reporter.failure(attempt, failure, stage))
    await remove_attempt(connection, attempt)
