"""Applies the log of events to the documents table, in batches, each with its position in one transaction.

Whoever dies when, no event is applied twice and none is missed. Every replica runs a projector; a lock on the
position lets one at a time apply, so a replica that stops is replaced at once.
"""

import asyncio
import time
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import DocumentDeleted
from contracts.statuses import TERMINAL, Status
from services.api.events.entry import Entry
from services.api.events.log import EventLog
from services.api.events.position import Gap, Position
from services.api.projection import DocumentState, fold
from services.runtime.availability import is_transient
from services.runtime.logs import get_logger
from services.runtime.tables import documents, projections

NAME = "documents"
IDLE_SECONDS = 5.0
PAUSE_SECONDS = 0.3
GATHER_SECONDS = 0.25
"""Between batches of mere progress: a transaction costs as much for one event as for fifty."""
GATHER_ENTRIES = 500
URGENT = TERMINAL | {Status.PARSING_STARTED}

_STATE = [documents.c[name] for name in DocumentState.__dataclass_fields__]

log = get_logger(__name__)


async def run_projector(engine: AsyncEngine, event_log: EventLog) -> None:
    """Project until cancelled; waits for a broker or a database that is away."""
    await event_log.opened()
    position: Position | None = None
    while True:
        try:
            if position is None:
                async with engine.connect() as connection:
                    position = await read_position(connection)
            reached = await project_next(engine, event_log, position)
            if reached != position:
                position = reached
                await gather(event_log, position)
        except Exception as error:
            if not is_transient(error):
                log.exception("the projector met a bug")
            await asyncio.sleep(PAUSE_SECONDS)


async def project_next(engine: AsyncEngine, event_log: EventLog, position: Position) -> Position:
    """Apply what follows a position and return the new one, or the stored one where that differs."""
    piece = await event_log.read(position)
    if piece.gap is Gap.UNKNOWN:
        log.error("the log was made anew; projecting it from its beginning", position=str(position))
        return await _store_position(engine, position, Position.start())
    if piece.gap is Gap.EXPIRED and position != Position.start():
        log.error("events were dropped from the log before they were projected", position=str(position))
    if not piece.entries:
        await event_log.wait(position, IDLE_SECONDS)
        return position
    return await apply(engine, position, piece.entries)


async def gather(event_log: EventLog, position: Position, seconds: float = GATHER_SECONDS) -> None:
    """Let progress gather after a batch, but not the beginning or the end of a document."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and await event_log.wait(position, left):
        ring = event_log.ring
        cursor = ring.locate(position)
        if not isinstance(cursor, int) or ring.end - cursor > GATHER_ENTRIES:
            return
        if any(_is_urgent(entry) for entry in ring.entries(cursor, GATHER_ENTRIES)):
            return
        position = ring.head


def _is_urgent(entry: Entry) -> bool:
    event = entry.event
    return isinstance(event, DocumentDeleted) or (event is not None and event.status in URGENT)


async def apply(engine: AsyncEngine, position: Position, entries: Sequence[Entry]) -> Position:
    """Apply entries that follow ``position`` if that is where the projection is."""
    async with engine.begin() as connection:
        stored = await _lock_position(connection)
        if stored != position:
            return stored
        await _apply_entries(connection, entries)
        await _write_position(connection, entries[-1].position)
    return entries[-1].position


async def read_position(connection: AsyncConnection) -> Position:
    """How far the documents table has followed the log."""
    text = await connection.scalar(select(projections.c.position).where(projections.c.name == NAME))
    return (Position.parse(text) if text else None) or Position.start()


async def _lock_position(connection: AsyncConnection) -> Position:
    """The stored position; until the transaction ends nobody else gets it."""
    locked = select(projections.c.position).where(projections.c.name == NAME).with_for_update()
    text = await connection.scalar(locked)
    if text is None:
        first = insert(projections).values(name=NAME, position=str(Position.start()))
        await connection.execute(first.on_conflict_do_nothing())
        text = await connection.scalar(locked)
    return (Position.parse(text) if text else None) or Position.start()


async def _write_position(connection: AsyncConnection, position: Position) -> None:
    await connection.execute(
        update(projections).where(projections.c.name == NAME).values(position=str(position))
    )


async def _store_position(engine: AsyncEngine, expected: Position, position: Position) -> Position:
    async with engine.begin() as connection:
        stored = await _lock_position(connection)
        if stored != expected:
            return stored
        await _write_position(connection, position)
    return position


async def _apply_entries(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    ids = sorted({entry.event.document_id for entry in entries if entry.event})
    before = await _read_states(connection, ids)
    uploaded = {document_id for document_id, (_, is_uploaded) in before.items() if is_uploaded}
    after = replay_states({key: state for key, (state, _) in before.items()}, uploaded, entries)
    for document_id in ids:
        state = after.get(document_id)
        if document_id in uploaded:
            if state is not None and state != before[document_id][0]:
                await _update(connection, document_id, state)
        elif state is not None:
            await _upsert_reported(connection, document_id, state)
        else:
            await _delete_reported(connection, document_id)


def replay_states(
    states: dict[str, DocumentState], uploaded: set[str], entries: Sequence[Entry]
) -> dict[str, DocumentState]:
    """Fold entries over the states of their documents; those that are deleted on the way are left out.

    Documents that were uploaded here are moved by our stages alone, and all others by external producers
    alone: nobody can call a document embedded that is not, and nothing that was deleted comes back.
    """
    after = dict(states)
    for entry in entries:
        event = entry.event
        if isinstance(event, DocumentDeleted):
            after.pop(event.document_id, None)
        elif event is not None and event.is_of_producer() != (event.document_id in uploaded):
            state = after.get(event.document_id)
            if state is None and event.is_of_producer():
                state = DocumentState(event.status, event.attempt, event.timestamp)
            if state is not None:
                after[event.document_id] = fold(state, event, str(entry.position))
    return after


async def _read_states(
    connection: AsyncConnection, ids: Sequence[str]
) -> dict[str, tuple[DocumentState, bool]]:
    query = select(documents.c.document_id, documents.c.sha256.is_not(None), *_STATE).where(
        documents.c.document_id.in_(ids)
    )
    rows = await connection.execute(query)
    return {
        document_id: (DocumentState(Status(status), *rest), is_uploaded)
        for document_id, is_uploaded, status, *rest in rows
    }


def _columns(state: DocumentState) -> dict[str, object]:
    return {name: getattr(state, name) for name in DocumentState.__dataclass_fields__}


async def _update(connection: AsyncConnection, document_id: str, state: DocumentState) -> None:
    await connection.execute(
        update(documents).where(documents.c.document_id == document_id).values(**_columns(state))
    )


async def _upsert_reported(connection: AsyncConnection, document_id: str, state: DocumentState) -> None:
    """A document that only an external producer knows: everything about it comes from its events."""
    event = state.event or {}
    metadata = event.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    values = {
        "owner_id": event.get("ownerId"),
        "filename": _text(named.get("filename")),
        "file_type": _text(named.get("fileType")),
        "attempt": state.status_attempt,
        **_columns(state),
    }
    kept = {
        **values,
        **{key: func.coalesce(values[key], documents.c[key]) for key in ("filename", "file_type")},
    }
    statement = insert(documents).values(
        document_id=document_id, created_at=state.updated_at, attempted_at=state.updated_at, **values
    )
    await connection.execute(statement.on_conflict_do_update(index_elements=["document_id"], set_=kept))


async def _delete_reported(connection: AsyncConnection, document_id: str) -> None:
    await connection.execute(
        delete(documents).where(documents.c.document_id == document_id, documents.c.sha256.is_(None))
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
