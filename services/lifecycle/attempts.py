"""Starts an attempt at a document: the first, after an upload, and each further one."""

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages
from contracts.statuses import SENTENCES, Status
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import note_commanded, open_attempt
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import Superseded
from services.runtime.messaging.publisher import Publisher


async def open_next_attempt(engine: AsyncEngine, document_id: str, *, ended: int) -> DocumentAttempt:
    """Make the attempt after ``ended`` the current one, which fences the older ones off.

    Raises Superseded when another attempt has begun meanwhile, this one has not ended, or the document was
    deleted.
    """
    async with engine.begin() as connection:
        attempt = await open_attempt(connection, document_id, ended)
    if attempt is None:
        raise Superseded(f"{document_id} attempt {ended}")
    return attempt


async def start_attempt(
    engine: AsyncEngine, reporter: StatusReporter, attempt: DocumentAttempt, *, is_reported: bool = False
) -> None:
    """Report ``parsing_started`` (unless ``is_reported``), send the first stage its command, and note both.

    The event comes first, so that no event of the stage can precede it, and neither comes for a document that was
    deleted, or an attempt that ended, meanwhile. A crash on the way leaves ``commanded_at`` null, and the sweeper
    starts the attempt again. Raises Unavailable.
    """
    async with engine.begin() as connection:
        if not await note_commanded(connection, attempt):
            return
        if not is_reported:
            sentence = SENTENCES[Status.PARSING_STARTED]
            event = reporter.event(attempt, Status.PARSING_STARTED, sentence, {"size": attempt.size})
            await reporter.publish(event)
        await send_command(reporter.publisher, *attempt.key)


async def send_command(publisher: Publisher, document_id: str, attempt: int) -> None:
    """Send the first stage its command. It finds what is stored already, and hands on what is not done yet."""
    for command in stages.first().command.for_attempt(document_id, attempt):
        await publisher.command(command)
