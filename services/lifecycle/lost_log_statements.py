"""The writes of the table ``documents`` that are made when the log was lost, each by its name."""

from datetime import datetime

from sqlalchemy import bindparam, func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import StatusEvent
from contracts.statuses import TERMINAL
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents

_THIS_ATTEMPT = (documents.c.document_id == bindparam("key")) & (
    documents.c.attempt == bindparam("key_attempt")
)

_NOW = func.greatest(func.now(), bindparam("lost_at"))
"""Not before the loss, also where the clock was set back since: it would be done again and again."""

_TAKE_LOST_OUTCOME = (
    update(documents)
    .where(
        _THIS_ATTEMPT,
        IS_ALIVE,
        documents.c.outcome.is_not(None),
        documents.c.outcome_published_at < bindparam("lost_at"),
    )
    .values(outcome_published_at=_NOW)
    .returning(documents.c.outcome)
)
_NOTE_RESENT = (
    update(documents)
    .where(
        _THIS_ATTEMPT,
        IS_ALIVE,
        IS_UPLOADED,
        documents.c.outcome.is_(None),
        func.greatest(documents.c.commanded_at, documents.c.resent_at) < bindparam("lost_at"),
    )
    .values(resend_count=0, resent_at=_NOW)
)
_FORGET_EVENT_POSITIONS = (
    update(documents)
    .where(documents.c.event_position.is_not(None), documents.c.status.not_in(list(TERMINAL)))
    .values(event_position=bindparam("start"))
)


async def take_lost_outcome(
    connection: AsyncConnection, document_id: str, attempt: int, lost_at: datetime
) -> StatusEvent | None:
    """Note that an outcome is published again, whose event was lost with the log before ``lost_at``, and return it.

    None where another replica was faster, or there is none to publish. As ``take_outcome``.
    """
    values = {"key": document_id, "key_attempt": attempt, "lost_at": lost_at}
    outcome = await connection.scalar(_TAKE_LOST_OUTCOME, values)
    return None if outcome is None else StatusEvent.model_validate(outcome)


async def note_resent(connection: AsyncConnection, document_id: str, attempt: int, lost_at: datetime) -> bool:
    """Note that a command is sent again that was lost with its queue before ``lost_at``; False when it was already.

    Its silence begins anew. Until the transaction ends, the document can be neither deleted nor ended.
    """
    values = {"key": document_id, "key_attempt": attempt, "lost_at": lost_at}
    return bool((await connection.execute(_NOTE_RESENT, values)).rowcount)


async def forget_event_positions(connection: AsyncConnection, start: str) -> None:
    """Move the newest events of documents under way to the ``start`` of a log that does not have them."""
    await connection.execute(_FORGET_EVENT_POSITIONS, {"start": start})
