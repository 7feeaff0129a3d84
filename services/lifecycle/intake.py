"""Resolves a command to the attempt that it is for, and decides whether there is still work to do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from faststream.rabbit.message import RabbitMessage
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.contextvars import bind_contextvars

from contracts.commands import StageCommand
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.ended_attempts import ended_attempts
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import Superseded
from services.runtime.messaging.headers import ATTEMPT_HEADER, is_manual, is_retry_of
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def resolved_command(
    engine: AsyncEngine, reporter: StatusReporter, command: StageCommand, message: RabbitMessage
) -> AsyncIterator[tuple[AsyncConnection, DocumentAttempt] | None]:
    """Yield the attempt to work on, locked as by ``locked_attempt``; None when it has ended and nobody asked again.

    A dead letter that was moved back, or a command that a person wrote in the management UI, asks again: the
    document starts a new attempt, since ``failed`` and ``embedded`` are terminal within one. Raises
    Superseded when the document was deleted or started anew. Of the further commands of an attempt that has ended
    nothing is read but their ids, and the database is not asked.
    """
    key = (command.document_id, command.attempt)
    ended, is_asked_again = ended_attempts(engine), is_manual(message.raw_message)
    if key in ended and not is_asked_again:
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            connection, attempt = await stack.enter_async_context(
                locked_attempt(engine, *key, even_if_done=True)
            )
        except Superseded:
            ended.add(key)
            raise
        bind_contextvars(document_id=attempt.document_id, attempt=attempt.attempt)
        if not attempt.is_done:
            # What is tried again is for this attempt, also when that has ended by then.
            message.raw_message.headers[ATTEMPT_HEADER] = attempt.attempt
            yield connection, attempt
            return
    await _answer_again(engine, reporter, attempt, message)
    yield None


async def _answer_again(
    engine: AsyncEngine, reporter: StatusReporter, attempt: DocumentAttempt, message: RabbitMessage
) -> None:
    # Whoever recorded the outcome may have died before it was published; this delivery may be all that is left.
    await publish_outcome(engine, reporter, *attempt.key)
    raw = message.raw_message
    if is_retry_of(raw.headers, attempt.attempt) or not is_manual(raw):
        ended_attempts(engine).add(attempt.key)
        log.info("command_already_done", document_id=attempt.document_id, attempt=attempt.attempt)
        return
    renewed = await open_next_attempt(engine, attempt.document_id, ended=attempt.attempt)
    await start_attempt(engine, reporter, renewed)
