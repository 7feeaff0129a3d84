"""The writes of the table ``documents``, each by its name; others: ``lost_log_statements``, ``turn_statements``.

``docs/architecture.md`` lists which writes which column. Statements are made once: making one costs more than
sending it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, bindparam, delete, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import StatusEvent
from contracts.lanes import Lane, Priority
from contracts.statuses import SENTENCES, Status
from services.lifecycle.document_attempt import DocumentAttempt
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents

PROJECTED = (
    "status", "status_attempt", "updated_at", "message", "page_count", "chunk_count", "embedded_count", "error",
    "stages", "event", "event_position",
)  # fmt: skip
"""The columns that the log of events says, and the projector writes."""

_NAMED = ("filename", "file_type")
_REPORTED = ("owner_id", "attempt", *_NAMED, *PROJECTED)
_THIS = documents.c.document_id == bindparam("key")
_THIS_ATTEMPT = _THIS & (documents.c.attempt == bindparam("key_attempt"))

# The reservation goes with the row, or the bytes would be removed; where it is gone, they are, and there is no row.
_INSERT_UPLOADED = text(f"""
WITH reserved AS (SELECT document_id FROM upload_reservations WHERE document_id = :document_id),
stored AS (
  INSERT INTO documents (document_id, owner_id, filename, file_type, size, sha256, created_at, attempted_at,
    updated_at, status, status_attempt, message, priority)
  SELECT document_id, :owner_id, :filename, :file_type, :size, :sha256, :now, now(), :now, :status, 1, :message,
    :priority
  FROM reserved ON CONFLICT DO NOTHING RETURNING document_id
),
used AS (DELETE FROM upload_reservations old USING stored WHERE old.document_id = stored.document_id)
SELECT EXISTS (SELECT FROM reserved) AS is_reserved, EXISTS (SELECT FROM stored) AS is_stored, (
  SELECT document_id FROM documents
  WHERE coalesce(owner_id, '') = coalesce(CAST(:owner_id AS text), '') AND sha256 = :sha256 AND {IS_ALIVE}
) AS existing
""")  # noqa: S608 - of constants

_OPEN_ATTEMPT = (
    update(documents)
    .where(_THIS)
    .values(
        attempt=documents.c.attempt + 1,
        attempted_at=func.now(),  # by the clock that tells its age, which need not be that of this process
        commanded_at=None,
        priority=func.coalesce(bindparam("priority", type_=Text), documents.c.priority),
        lane=None,
        waiting_since=None,
        outcome=None,
        outcome_published_at=None,
        resend_count=0,
        resent_at=None,
    )
    .returning(
        documents.c.attempt,
        documents.c.owner_id,
        documents.c.filename,
        documents.c.file_type,
        documents.c.size,
    )
)
_LOCK_ENDED = (
    # That its outcome is published is looked at once the row is locked, and no condition of the lock: whoever
    # publishes it has the row until then, and a row that does not fit the conditions yet is not waited for.
    select(documents.c.outcome_published_at).where(_THIS_ATTEMPT, IS_ALIVE, IS_UPLOADED).with_for_update()
)
_NOTE_COMMANDED = (
    update(documents)
    .where(_THIS_ATTEMPT, IS_ALIVE, IS_UPLOADED, documents.c.outcome.is_(None))
    .values(commanded_at=func.now(), lane=func.coalesce(documents.c.lane, Lane.FIRST.value))
)
_RECORD_OUTCOME = (
    update(documents).where(_THIS).values(outcome=bindparam("outcome"), outcome_published_at=None)
)
_RECORD_EMBEDDED = _RECORD_OUTCOME.values(visible_attempt=documents.c.attempt)
_TAKE_OUTCOME = (
    update(documents)
    .where(
        _THIS_ATTEMPT, IS_ALIVE, documents.c.outcome.is_not(None), documents.c.outcome_published_at.is_(None)
    )
    .values(outcome_published_at=func.now())
    .returning(documents.c.outcome)
)
_COUNT_RESEND = (
    update(documents)
    .where(_THIS_ATTEMPT, documents.c.resend_count == bindparam("resends"))
    .values(resend_count=documents.c.resend_count + 1, resent_at=func.now())
)
_MARK_DELETED = update(documents).where(_THIS).values(deleted_at=func.now())
_REMOVE = delete(documents).where(_THIS)
_PROJECT = update(documents).where(_THIS).values({name: bindparam(name) for name in PROJECTED})
_REPORT = insert(documents).values(
    {name: bindparam(name) for name in ("document_id", "created_at", "attempted_at", *_REPORTED)}
)
_REPORT_AGAIN = _REPORT.on_conflict_do_update(
    index_elements=["document_id"],
    set_={name: _REPORT.excluded[name] for name in _REPORTED}
    | {name: func.coalesce(_REPORT.excluded[name], documents.c[name]) for name in _NAMED},
)
_REMOVE_REPORTED = delete(documents).where(
    documents.c.document_id.in_(bindparam("ids", expanding=True)), ~IS_UPLOADED
)


@dataclass(frozen=True)
class Insertion:
    """The result of an insertion: ``existing`` is a document of the same owner and content, if there is one."""

    is_reserved: bool
    is_stored: bool
    existing: str | None


async def insert_uploaded(
    connection: AsyncConnection,
    attempt: DocumentAttempt,
    sha256: str,
    now: datetime,
    priority: Priority = Priority.NORMAL,
) -> Insertion:
    """Make the row of an upload out of its reservation, unless the owner has the same content already."""
    row = await connection.execute(
        _INSERT_UPLOADED,
        {
            "document_id": attempt.document_id,
            "owner_id": attempt.owner_id,
            "filename": attempt.filename,
            "file_type": attempt.file_type,
            "size": attempt.size,
            "sha256": sha256,
            "now": now,
            "status": Status.PARSING_STARTED.value,
            "message": SENTENCES[Status.PARSING_STARTED],
            "priority": priority.value,
        },
    )
    return Insertion(*row.one())


async def open_attempt(
    connection: AsyncConnection, document_id: str, ended: int, priority: Priority | None = None
) -> DocumentAttempt | None:
    """Make the attempt after ``ended`` the current one; None unless that has ended and this was published."""
    if await connection.scalar(_LOCK_ENDED, {"key": document_id, "key_attempt": ended}) is None:
        return None
    row = (await connection.execute(_OPEN_ATTEMPT, {"key": document_id, "priority": priority})).one()
    return DocumentAttempt(document_id, *row)


async def note_commanded(connection: AsyncConnection, attempt: DocumentAttempt) -> bool:
    """Note that the first stage was asked for an attempt; False where it has ended or the document is deleted.

    Until the transaction ends, the document can be neither deleted, nor started anew, nor ended.
    """
    return bool((await connection.execute(_NOTE_COMMANDED, _key(attempt))).rowcount)


async def record_outcome(
    connection: AsyncConnection, attempt: DocumentAttempt, event: StatusEvent, *, is_visible: bool = False
) -> None:
    """Note the terminal event of an attempt, and with ``is_visible`` let search see it in the same moment."""
    outcome = event.model_dump(mode="json", by_alias=True)
    statement = _RECORD_EMBEDDED if is_visible else _RECORD_OUTCOME
    await connection.execute(statement, {"key": attempt.document_id, "outcome": outcome})


async def take_outcome(connection: AsyncConnection, document_id: str, attempt: int) -> StatusEvent | None:
    """Note that the outcome of an attempt is published, and return it to be; None where there is none to publish.

    Until the transaction ends, the document can be neither deleted nor started anew.
    """
    outcome = await connection.scalar(_TAKE_OUTCOME, {"key": document_id, "key_attempt": attempt})
    return None if outcome is None else StatusEvent.model_validate(outcome)


async def count_resend(connection: AsyncConnection, document_id: str, attempt: int, resends: int) -> bool:
    """Note that a command is sent again after ``resends`` times; False when another replica was faster."""
    values = {"key": document_id, "key_attempt": attempt, "resends": resends}
    return bool((await connection.execute(_COUNT_RESEND, values)).rowcount)


async def mark_deleted(
    connection: AsyncConnection, document_id: str, among: ColumnElement[bool] | None = None
) -> Row[Any, Any] | None:
    """Mark a document as deleted, which fences all work off; its owner and SHA-256, or None where none is alive.

    ``among`` limits it to some documents.

    Waits for whoever publishes an event of it, so that nothing follows the event of its deletion.
    """
    lock = select(documents.c.owner_id, documents.c.sha256).where(
        _THIS, IS_ALIVE, true() if among is None else among
    )
    row = (await connection.execute(lock.with_for_update(), {"key": document_id})).one_or_none()
    if row is not None:
        await connection.execute(_MARK_DELETED, {"key": document_id})
    return row


async def remove_document(connection: AsyncConnection, document_id: str) -> None:
    """Remove a document's row, and with it all that stages have stored."""
    await connection.execute(_REMOVE, {"key": document_id})


async def project_uploaded(connection: AsyncConnection, document_id: str, state: Mapping[str, Any]) -> None:
    """Write the projected columns of a document that was uploaded here."""
    await connection.execute(_PROJECT, {"key": document_id, **state})


async def project_reported(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Write the row of a document that only external producers know, all of which comes from its events."""
    await connection.execute(_REPORT_AGAIN, row)


async def remove_reported(connection: AsyncConnection, document_ids: Sequence[str]) -> None:
    """Remove the rows of documents that only external producers knew."""
    await connection.execute(_REMOVE_REPORTED, {"ids": document_ids})


def _key(attempt: DocumentAttempt) -> dict[str, object]:
    return {"key": attempt.document_id, "key_attempt": attempt.attempt}
