"""Reads from the archive what a view shows after a position: as it goes out, and joined by the database."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import WITHOUT_STATUS
from contracts.statuses import REPEATED
from services.api.access.caller import visible_to
from services.api.archive.spans import Span, read_spans
from services.api.documents.file_types import columns_match_file_type
from services.api.log.position import GapReason, Position
from services.api.projection.projection_position import read_log_base
from services.api.stream.filters import Filter, View
from services.runtime.database.engine import autocommit
from services.runtime.database.log_tables import log_entries
from services.runtime.errors import is_transient
from services.runtime.process.logging import get_logger

SLICE_ENTRIES = 2000
"""Read at once, about 900 KB."""
WINDOW_PLACES = 100_000
"""Looked at in one statement where an index leads to nothing: about 0.1 s."""
MAX_READERS = 4
"""Statements at the same time: lists and searches need connections too."""
READ_SECONDS = 5.0
AWAY_SECONDS = 5.0
"""After a failure; meanwhile the log itself is read."""

_TAG = text("SELECT tag FROM log_entries WHERE place = :place")
_FIRST = text("SELECT place, tag FROM log_entries WHERE place >= :first ORDER BY place LIMIT 1")
_LAST = text(
    "SELECT place, tag FROM log_entries WHERE place > :after AND place <= :until ORDER BY place DESC LIMIT 1"
)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of what a view shows up to ``reached``; ``has_cursor`` where the last one has that id.

    With ``gap`` something is missing before ``begin``.
    """

    data: bytes
    reached: Position
    has_cursor: bool
    gap: GapReason | None = None
    begin: Position = field(default_factory=Position.start)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where to read on: behind the place ``after``, at most to the end of a span."""

    base: int
    after: int
    span: Span
    gap: GapReason | None = None
    begin: Position = field(default_factory=Position.start)


class ArchiveReader:
    """Reads for all streams of a process, some at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._readers = asyncio.Semaphore(MAX_READERS)
        self._away_until = 0.0

    async def read(self, view: View, after: Position, *, is_lagging: bool) -> Stretch | None:
        """Return what follows a position; None where only the log can tell, also as the database is away."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return None
        try:
            async with self._readers, asyncio.timeout(READ_SECONDS), self._engine.connect() as connection:
                return await read_stretch(
                    connection, view, after, is_conflated=is_lagging and not view.every_step
                )
        except Exception as error:
            if not is_transient(error):
                raise
            log.info("archive_unavailable", reason=type(error).__name__)
            self._away_until = loop.time() + AWAY_SECONDS
            return None


async def read_stretch(
    connection: AsyncConnection, view: View, after: Position, *, is_conflated: bool
) -> Stretch | None:
    """Return what a view shows after a position, ``SLICE_ENTRIES`` at most; None where the archive can't tell."""
    beginning = await _find_beginning(connection, after)
    if beginning is None:
        return None
    until, tag = await _find_end(connection, view, beginning)
    parameters = {"after": beginning.after, "until": until, "limit": SLICE_ENTRIES}
    piece = (await connection.execute(_statement(view, is_conflated=is_conflated), parameters)).one()
    if piece.entries == SLICE_ENTRIES:
        until, tag = piece.last, piece.tag
    reached = Position(until - beginning.base, tag)
    return Stretch(piece.data or b"", reached, piece.last == until, beginning.gap, beginning.begin)


async def _find_beginning(connection: AsyncConnection, after: Position) -> _Beginning | None:
    base = await read_log_base(connection)
    spans = await read_spans(connection, base)
    place = base + after.offset
    is_known = after.offset >= 0 and await connection.scalar(_TAG, {"place": place}) == after.tag
    for span in spans:
        if is_known and span.first <= place < span.reached + after.is_before:
            return _Beginning(base, place - after.is_before, span)
    if not spans or not spans[0].is_from_beginning or place >= spans[0].first:
        return None
    first = (await connection.execute(_FIRST, {"first": spans[0].first})).one_or_none()
    if first is None:
        return None
    gap = None if after == Position.start() and spans[0].first == base else GapReason.EXPIRED
    begin = Position(first.place - base, first.tag, is_before=True)
    return _Beginning(base, spans[0].first - 1, spans[0], gap, begin)


async def _find_end(connection: AsyncConnection, view: View, beginning: _Beginning) -> tuple[int, str]:
    """Return the place, with its tag, up to which one statement looks."""
    after, span = beginning.after, beginning.span
    has_index = view.filter.document_ids or not view.caller.sees_all
    if has_index or after + WINDOW_PLACES >= span.reached:
        return span.reached, span.reached_tag
    last = await connection.execute(_LAST, {"after": after, "until": after + WINDOW_PLACES})
    found = last.one_or_none()
    return (found.place, found.tag) if found else (span.reached, span.reached_tag)


def _statement(view: View, *, is_conflated: bool) -> Select[tuple[int, int | None, str | None, bytes | None]]:
    """Return the statement that joins the frames; parameters are ``after``, ``until`` and ``limit``."""
    piece = _piece(view).cte("piece")
    is_told: ColumnElement[bool] = true()
    if is_conflated:
        is_progress = func.coalesce(piece.c.status.in_(sorted(REPEATED)), false())
        newest = func.max(piece.c.place).filter(is_progress).over(partition_by=piece.c.document_id)
        piece = select(piece, (~is_progress | (piece.c.place == newest)).label("is_told")).cte("told")
        is_told = piece.c.is_told
    in_order = aggregate_order_by(literal(b""), piece.c.place)
    return select(
        func.count().label("entries"),
        func.max(piece.c.place).label("last"),
        func.array_agg(aggregate_order_by(piece.c.tag, piece.c.place.desc()), type_=ARRAY(Text))[1].label(
            "tag"
        ),
        func.string_agg(piece.c.frame, in_order).filter(is_told).label("data"),
    )


def _piece(view: View) -> Select[tuple[int, str, bytes, str | None, str | None]]:
    columns, wanted = log_entries.c, view.filter
    query = select(columns.place, columns.tag, columns.frame, columns.document_id, columns.status).where(
        columns.document_id.is_not(None),
        columns.place > bindparam("after", type_=BigInteger),
        columns.place <= bindparam("until", type_=BigInteger),
    )
    if not view.caller.sees_all:
        query = query.where(visible_to(view.caller.owner_id, columns.owner_id))
    if wanted.document_ids:
        query = query.where(columns.document_id.in_(sorted(wanted.document_ids)))
    if conditions := list(_conditions(wanted)):
        query = query.where(columns.status.in_(WITHOUT_STATUS) | and_(*conditions))
    return query.order_by(columns.place).limit(bindparam("limit", type_=Integer))


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    columns = log_entries.c
    if wanted.statuses:
        yield columns.status.in_(sorted(wanted.statuses))
    if wanted.sources:
        yield columns.source.in_(sorted(wanted.sources))
    if wanted.file_types:
        yield or_(
            *(
                columns_match_file_type(one, columns.file_type, columns.filename)
                for one in sorted(wanted.file_types)
            )
        )
