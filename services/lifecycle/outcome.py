"""The outcome of an attempt: decided once, in the database, and published as often as it takes.

A transactional outbox for one event. Without it, a step that runs twice could end in two ways: a ``failed`` whose
confirm was lost, and an ``embedded`` by the redelivery. Whoever decides second finds the first decision, and
publishes that one.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.failures import DocumentFailed
from services.lifecycle.attempt_statements import remove_attempt
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.document_statements import record_outcome, take_outcome
from services.lifecycle.status_reporter import StatusReporter


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
