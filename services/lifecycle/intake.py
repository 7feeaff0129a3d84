"""Decides whether a delivery still means work: a stage looks here before it begins."""

from faststream.rabbit.message import RabbitMessage
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.contextvars import bind_contextvars

from contracts.commands import StageCommand
from services.lifecycle.attempts import open_next_attempt, start_attempt
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.messaging.headers import is_manual
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


async def resolve_command(
    engine: AsyncEngine,
    publisher: Publisher,
    reporter: StatusReporter,
    command: StageCommand,
    message: RabbitMessage,
) -> DocumentAttempt | None:
    """The document to work on, or None when this attempt has ended already and nobody asked again.

    A dead letter that was moved back, or a command that a person wrote in the management UI, asks again: the
    document starts a new attempt, since ``failed`` and ``embedded`` are terminal within one. Raises
    Superseded when the document was deleted or started anew.
    """
    async with locked_attempt(engine, command.document_id, command.attempt, even_if_done=True) as (
        _,
        document,
    ):
        bind_contextvars(document_id=document.document_id, attempt=document.attempt)
    if not document.is_done:
        return document
    # Whoever decided the end may have died before saying so; this delivery may be all that is left.
    await publish_outcome(engine, reporter, document.document_id, document.attempt)
    if not is_manual(message.raw_message):
        log.info("already done", document_id=document.document_id, attempt=document.attempt)
        return None
    renewed = await open_next_attempt(engine, document.document_id, ended=document.attempt)
    await start_attempt(engine, publisher, reporter, renewed)
    return None
