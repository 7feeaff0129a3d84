"""Finds what was lost: compares the database, the log, the queues and the object store with each other.

It only reads, but for a marker that it puts at the end of the log, and looks at dead letters, which go back to
their place. On a live system whatever has moved within ``tolerance`` is taken for work under way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, false, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import topology
from contracts.events import StatusEvent
from contracts.statuses import RANK, SENTENCES, TERMINAL, Status
from services.api.audit.archive_comparison import differences
from services.api.audit.checks import CHECKS
from services.api.log.entry import Entry
from services.api.log.position import Position
from services.api.log.stream_consumer import append_marker, consume_stream
from services.api.projection.projection_position import read_log_beginning, read_position
from services.api.projection.reducer import DocumentState, replay_states
from services.api.recovery.dead_letters import DeadLetterQueues
from services.runtime.database.tables import IS_ALIVE, IS_UPLOADED, documents, upload_reservations
from services.runtime.messaging.connection import broker_connection
from services.runtime.object_store import ObjectStore

PROJECTION_SECONDS = 20.0
MOST_FINDINGS = 50
"""Of one kind; more of it tell nothing new."""

_STATE = tuple(DocumentState.__dataclass_fields__)


@dataclass(frozen=True)
class Finding:
    """A fault: ``what`` is of a fixed set, ``subject`` mostly a document's id."""

    what: str
    subject: str
    detail: str


@dataclass
class Audit:
    """The counts of what was looked at, by kind, and the findings."""

    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    """The log, as it was read."""

    def find(self, what: str, subject: str, detail: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(what, subject, detail))


async def audit(
    engine: AsyncEngine,
    rabbitmq_url: str,
    objects: ObjectStore,
    *,
    tolerance: timedelta = timedelta(minutes=15),
) -> Audit:
    """Compare everything. Raises Unavailable and its kin when a part of the system is away."""
    result = Audit()
    await _ask_database(result, engine, tolerance)
    result.entries = await read_log(rabbitmq_url)
    result.counts["events in the log"] = sum(entry.event is not None for entry in result.entries)
    check_order(result)
    await _compare_archive(result, engine)
    await _compare_replay(result, engine)
    await _compare_objects(result, engine, objects)
    await _look_at_queues(result, engine, rabbitmq_url)
    return result


async def read_log(rabbitmq_url: str) -> list[Entry]:
    """Read the whole log, from the oldest event kept to a marker that is appended now, which is the last entry."""
    marker = await append_marker(rabbitmq_url)
    entries: list[Entry] = []
    async with consume_stream(rabbitmq_url, "first") as deliveries:
        while not entries or not entries[-1].position.names(marker):
            for entry in await deliveries.read():
                entries.append(entry)
                if entry.position.names(marker):
                    break
    return entries


def check_order(result: Audit) -> None:
    """Check that within an attempt the statuses of our own documents only move on, and nothing follows the last."""
    reached: dict[str, tuple[int, int]] = {}
    seen: set[str] = set()
    for entry in result.entries:
        event = entry.event
        if not isinstance(event, StatusEvent) or event.is_of_producer() or event.event_id in seen:
            continue
        seen.add(event.event_id)
        place = (event.attempt, RANK[event.status])
        before = reached.get(event.document_id, (0, 0))
        ended = before[0] == place[0] and before[1] in {RANK[status] for status in TERMINAL}
        if place < before or ended:
            result.find(
                "out of order", event.document_id, f"{event.status} after {before} at {entry.position}"
            )
        reached[event.document_id] = max(place, before)
    result.counts["distinct events of stages"] = len(seen)


async def _ask_database(result: Audit, engine: AsyncEngine, tolerance: timedelta) -> None:
    async with engine.connect() as connection:
        for status, count in await connection.execute(
            text("SELECT status, count(*) FROM documents GROUP BY 1")
        ):
            result.counts[f"documents {status}"] = count
        for table in ("chunks", "embeddings", "vectors"):
            result.counts[table] = await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608 - ours
        for what, question in CHECKS.items():
            bound = {"tolerance": tolerance} if ":tolerance" in question else {}
            rows = await connection.execute(text(f"{question} LIMIT {MOST_FINDINGS}"), bound)
            for subject, detail in rows:
                result.find(what, subject, detail)


async def _compare_archive(result: Audit, engine: AsyncEngine) -> None:
    found = 0
    async for position, what in differences(engine, result.entries):
        found += 1
        if found <= MOST_FINDINGS:
            result.find("archive differs", position, what)


async def _compare_replay(result: Audit, engine: AsyncEngine) -> None:
    marker = result.entries[-1].position
    try:
        async with asyncio.timeout(PROJECTION_SECONDS):
            rows = await _projected(engine, marker)
    except TimeoutError:
        result.find("projection behind", str(marker), f"not reached in {PROJECTION_SECONDS:.0f} s")
        return
    current_attempts = {key: row.attempt for key, row in rows.items() if row.uploaded_at is not None}
    fresh = {key: _state_at_upload(rows[key].uploaded_at) for key in current_attempts}
    replayed = replay_states(fresh, current_attempts, result.entries)
    since = max(_begin(result.entries), await _log_beginning(engine))
    result.counts["documents replayed"] = len(replayed)
    for key in sorted(rows.keys() | replayed.keys()):
        row = rows.get(key)
        if row is not None and row.created_at < since:
            continue  # Its first events are no longer kept, or were lost with another log.
        later = Position.parse(row.state.event_position or "") if row else None
        if later is not None and later > marker:
            continue  # It has moved while we read.
        if replayed.get(key) != (row.state if row else None):
            state = _brief(row.state if row else None)
            result.find("projection differs", key, f"{_brief(replayed.get(key))} by the log, shown {state}")


class _Projected(NamedTuple):
    """A row's projected half, and of an uploaded document when that was and its newest attempt."""

    state: DocumentState
    created_at: datetime
    uploaded_at: datetime | None
    attempt: int


async def _projected(engine: AsyncEngine, marker: Position) -> dict[str, _Projected]:
    """Read the rows once the projection is at the marker or further."""
    columns = ", ".join(_STATE)
    query = text(
        f"SELECT document_id, created_at, {IS_UPLOADED}, attempt, {columns} FROM documents"  # noqa: S608 - ours
    )
    while True:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            if await read_position(connection) >= marker:
                rows = await connection.execute(query)
                return {
                    key: _Projected(
                        DocumentState(Status(status), *rest),
                        created_at,
                        created_at if is_uploaded else None,
                        attempt,
                    )
                    for key, created_at, is_uploaded, attempt, status, *rest in rows
                }
        await asyncio.sleep(0.1)


def _state_at_upload(created_at: datetime | None) -> DocumentState:
    assert created_at is not None  # noqa: S101 - of uploaded documents only
    return DocumentState(Status.PARSING_STARTED, 1, created_at, message=SENTENCES[Status.PARSING_STARTED])


def _begin(entries: Sequence[Entry]) -> datetime:
    """Return the time of the oldest event that is kept; the beginning of time for a log that has lost none."""
    if entries[0].offset == 0:
        return datetime.min.replace(tzinfo=UTC)
    return next((entry.event.timestamp for entry in entries if entry.event), datetime.max.replace(tzinfo=UTC))


async def _log_beginning(engine: AsyncEngine) -> datetime:
    async with engine.connect() as connection:
        return await read_log_beginning(connection) or datetime.min.replace(tzinfo=UTC)


def _brief(state: DocumentState | None) -> str:
    return f"{state.status} ({state.status_attempt}) at {state.event_position}" if state else "nothing"


async def _compare_objects(result: Audit, engine: AsyncEngine, objects: ObjectStore) -> None:
    query = select(documents.c.document_id, IS_ALIVE & (documents.c.created_at < bindparam("began"))).where(
        IS_UPLOADED
    )
    reserved = select(upload_reservations.c.document_id, false())
    began = datetime.now(UTC)
    stored = {document_id async for document_id in objects.ids()}
    async with engine.connect() as connection:
        rows = await connection.execute(query.union_all(reserved), {"began": began})
        known: dict[str, bool] = dict(rows.tuples().all())
    result.counts["objects"] = len(stored)
    if stored - known.keys():  # or they were deleted while we looked
        for document_id in sorted((stored - known.keys()) & {found async for found in objects.ids()}):
            result.find("object without a document", document_id, "")
    for document_id in sorted({key for key, lives in known.items() if lives} - stored):
        result.find("document without its object", document_id, "")


async def _look_at_queues(result: Audit, engine: AsyncEngine, rabbitmq_url: str) -> None:
    async with broker_connection(rabbitmq_url) as connection:
        channel = await connection.channel()
        for queue in topology.queues():
            if queue is not topology.LOG:
                declared = await channel.get_queue(queue.name)
                result.counts[f"in {queue.name}"] = declared.declaration_result.message_count or 0
    query = select(documents.c.status).where(
        documents.c.document_id == bindparam("id"), IS_ALIVE, IS_UPLOADED
    )
    for letter in await DeadLetterQueues(engine, rabbitmq_url).read():
        async with engine.connect() as database:
            status = await database.scalar(query, {"id": letter.document_id})
        if status not in (None, Status.FAILED.value):
            result.find(
                "dead letter of a living document", letter.document_id or "", f"{status}: {letter.reason}"
            )
