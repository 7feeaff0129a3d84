"""What is still before a document: how much work stands before it in its lane while it waits, and the time left.

A document that is worked on tells its own time left with its progress. Of one that waits it follows from what is
before it and how fast this system works. What is before it is read for all documents at once and kept for a moment,
so that a list of a page that many look at costs one statement a second.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.lanes import Lane
from contracts.statuses import Status
from services.api.documents.views import DocumentView
from services.pacing.pace_table import read_paces
from services.pacing.time_left import NOTHING_KNOWN, Paces, time_at_pace

KEPT_SECONDS = 1.0
MOST_WAITING = 50_000
"""Of those beyond, nothing is said: the count would cost more than it tells."""
BYTES_PER_PAGE = 50_000
"""Of a document whose pages nobody has counted yet; PDFs of text have that much, on average."""

View = TypeVar("View", bound=DocumentView)

# What waits for its owner's turn stands behind what has a command.
_WAITING = text(f"""
SELECT document_id, coalesce(lane, '{Lane.FIRST}') AS lane, is_new, amount,
  sum(amount) OVER (PARTITION BY coalesce(lane, '{Lane.FIRST}'), is_new ORDER BY is_behind, since, document_id)
    - amount AS before
FROM (
  SELECT document_id, lane, waits AS is_new, commanded_at IS NULL AS is_behind,
    CASE WHEN waits THEN coalesce(waiting_since, attempted_at) ELSE updated_at END AS since,
    CASE WHEN waits THEN 1 + size / {BYTES_PER_PAGE}
      WHEN status = '{Status.EMBEDDING}' THEN chunk_count - coalesce(embedded_count, 0)
      ELSE chunk_count END AS amount
  FROM (
    SELECT *, status_attempt < attempt OR status IN ('{Status.PARSING_STARTED}', '{Status.PARSING}') AS waits
    FROM documents WHERE outcome IS NULL AND deleted_at IS NULL AND sha256 IS NOT NULL
      AND (commanded_at IS NOT NULL OR waiting_since IS NOT NULL)
  ) under_way LIMIT {MOST_WAITING}
) work WHERE amount >= 0
""")  # noqa: S608 - of constants


@dataclass(frozen=True)
class Place:
    """A document's own work and the work before it, in pages while it waits to be parsed, else in chunks."""

    amount: int
    before: int
    is_new: bool
    chunks_before: int = 0
    """Of documents that are parsed already: they are embedded before it."""


@dataclass
class Outlook:
    """Completes documents by ``ahead`` and ``seconds_left``."""

    engine: AsyncEngine
    _places: dict[str, Place] = field(default_factory=dict)
    _paces: Paces = NOTHING_KNOWN
    _until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def complete(self, *documents: View) -> list[View]:
        """Return the documents with what is still before them. Raises what the database raises."""
        if not any(_waits(one) for one in documents):
            return [_running(one) for one in documents]
        async with self._lock:
            if monotonic() >= self._until:
                await self._read()
        return [self._waiting(one) if _waits(one) else _running(one) for one in documents]

    async def _read(self) -> None:
        async with self.engine.connect() as connection:
            rows = await connection.execute(_WAITING)
            self._places = _places(rows.all())
            self._paces = await read_paces(connection)
        self._until = monotonic() + KEPT_SECONDS

    def _waiting(self, document: View) -> View:
        place = self._places.get(document.document_id)
        if place is None:
            return document
        seconds = seconds_left(place, document, self._paces)
        return document.model_copy(update={"ahead": place.before, "seconds_left": seconds})


def _places(rows: Sequence[Row[Any]]) -> dict[str, Place]:
    parsed: Counter[str] = Counter()
    for row in rows:
        parsed[row.lane] += 0 if row.is_new else int(row.amount)
    return {
        row.document_id: Place(
            int(row.amount), int(row.before), row.is_new, parsed[row.lane] if row.is_new else 0
        )
        for row in rows
    }


def seconds_left(place: Place, document: DocumentView, paces: Paces) -> float | None:
    """Return the seconds until a document that waits can be found; None where a pace is not known."""
    if not place.is_new:
        seconds = time_at_pace(place.before + place.amount, paces.chunks)
    else:
        pages = place.before + place.amount
        parsing = time_at_pace(pages, paces.pages)
        chunks = place.chunks_before + pages * paces.chunks_per_page if paces.chunks_per_page else None
        embedding = time_at_pace(chunks, paces.chunks)
        # The two stages work at the same time: the slower one is what everybody waits for.
        seconds = None if parsing is None or embedding is None else max(parsing, embedding)
    return None if seconds is None else round(seconds, 1)


def _waits(document: DocumentView) -> bool:
    return document.status in {Status.PARSING_STARTED, Status.PARSED} and document.size is not None


def _running(document: View) -> View:
    """Count the time left down from when it was told."""
    if document.seconds_left is None:
        return document
    passed = max(0.0, (datetime.now(UTC) - document.updated_at).total_seconds())
    return document.model_copy(update={"seconds_left": round(max(0.0, document.seconds_left - passed), 1)})
