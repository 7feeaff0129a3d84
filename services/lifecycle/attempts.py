"""Starts an attempt at a document: the first, after an upload, and each further one."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts import stages
from contracts.lanes import Lane, Priority
from contracts.statuses import SENTENCES, Status
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.document_statements import note_commanded, open_attempt
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import Shares, Turn, take_turn
from services.runtime.errors import Superseded
from services.runtime.messaging.publisher import Publisher


async def open_next_attempt(
    engine: AsyncEngine, document_id: str, *, ended: int, priority: Priority | None = None
) -> DocumentAttempt:
    """Make the attempt after ``ended`` the current one, which fences the older ones off.

    ``priority`` is None where it stays as it is. Raises Superseded when another attempt has begun meanwhile, this
    one has not ended, or the document was deleted.
    """
    async with engine.begin() as connection:
        attempt = await open_attempt(connection, document_id, ended, priority)
    if attempt is None:
        raise Superseded(f"{document_id} attempt {ended}")
    return attempt


async def start_attempt(
    engine: AsyncEngine,
    reporter: StatusReporter,
    attempt: DocumentAttempt,
    *,
    shares: Shares | None = None,
    is_reported: bool = False,
) -> bool:
    """Report ``parsing_started`` (unless ``is_reported``), send the first stage its command, and note both.

    With ``shares`` the command is sent when it is its owner's turn, in the lane that fits; False while it waits for
    that, or there is nothing to start. Without, a person waits for it, and has the first lane.

    The event comes first, so that no event of the stage can precede it, and neither comes for a document that was
    deleted, or an attempt that ended, meanwhile. A crash on the way leaves ``commanded_at`` null, and the sweeper
    starts the attempt again. Raises Unavailable.
    """
    async with engine.begin() as connection:
        turn = await _turn(connection, attempt, shares)
        if turn is None:
            return False
        if not is_reported:
            sentence = SENTENCES[Status.PARSING_STARTED]
            event = reporter.event(attempt, Status.PARSING_STARTED, sentence, {"size": attempt.size})
            await reporter.publish(event)
        if turn.has_come:
            await send_command(reporter.publisher, *attempt.key, turn.lane)
        return turn.has_come


async def _turn(connection: AsyncConnection, attempt: DocumentAttempt, shares: Shares | None) -> Turn | None:
    if shares is not None:
        return await take_turn(connection, attempt, shares)
    return Turn(Lane.FIRST, has_come=True) if await note_commanded(connection, attempt) else None


async def send_command(publisher: Publisher, document_id: str, attempt: int, lane: str | None = None) -> None:
    """Send the first stage its command. It finds what is stored already, and hands on what is not done yet."""
    for command in stages.first().command.for_attempt(document_id, attempt):
        await publisher.command(command, Lane(lane or Lane.FIRST))
