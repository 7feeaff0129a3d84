"""Completes what a crash left half done: documents whose command was never sent or got lost, deletions, uploads.

Every step may run on several replicas at once, and twice: all that it does is safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.api.api_settings import ApiSettings
from services.api.documents.deletion import Deletion
from services.api.documents.owners import forget_old_notes
from services.api.documents.uploads import forget_upload
from services.api.operations.operation_statements import forget_operations
from services.api.recovery.lost_log import LostLog
from services.api.recovery.outdated_terms import update_outdated_terms
from services.api.recovery.stalled import resend_stalled
from services.api.recovery.turns import Turns
from services.api.search.term_counting import forget_views, recount_view
from services.lifecycle.attempts import start_attempt
from services.lifecycle.document_attempt import DocumentAttempt
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.vector_statements import end_overlap, remove_unused_vectors, take_over_embeddings
from services.runtime.database.age import is_older
from services.runtime.database.tables import (
    IS_ALIVE,
    IS_UPLOADED,
    documents,
    upload_reservations,
    webhook_receipts,
)
from services.runtime.database.vector_index import drop_old_indexes
from services.runtime.process.background import run_step
from services.runtime.process.logging import get_logger

RECEIPTS_KEPT = timedelta(days=4)
BATCH = 100
VECTORS = 500
BATCHES_SECONDS = 10.0
"""Of one sweep for a step that goes on in the next: the others have their turn."""
AGAIN_SECONDS = 1.0
"""Until what was lost with a log is tried to be sent again, where the new broker did not take it yet."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Sweeper:
    """Runs one step after another, for ever."""

    engine: AsyncEngine
    reporter: StatusReporter
    deletion: Deletion
    settings: ApiSettings
    lost_log: LostLog
    turns: Turns
    log_began: asyncio.Event
    """Set when the log was found to be another one: then nobody waits for the next sweep."""

    @property
    def grace(self) -> timedelta:
        """An age that is longer than a living process takes for the second half of what it has begun."""
        return timedelta(seconds=self.settings.grace_seconds)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            self.log_began.clear()
            has_resumed = await run_step("sweeper", self.lost_log.resume)
            for step in (
                self.dispatch_unsent,
                self.turns.give_all,
                self.publish_unpublished,
                self.resend_stalled,
                self.finish_deletions,
                self.forget_uploads,
                self.drop_old_receipts,
                self.forget_owners,
                self.forget_operations,
                self.remove_vectors,
                self.take_over_embeddings,
                self.update_terms,
                self.recount_terms,
            ):
                await run_step("sweeper", step)
            await self._rest(self.settings.sweep_seconds if has_resumed else AGAIN_SECONDS)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.log_began.wait()

    async def dispatch_unsent(self) -> int:
        """Start attempts whose command was never sent; return their number."""
        is_reported = (documents.c.status_attempt == documents.c.attempt) & documents.c.event.is_not(None)
        query = _uploaded(
            documents.c.attempt,
            documents.c.owner_id,
            documents.c.filename,
            documents.c.file_type,
            documents.c.size,
            is_reported,
        ).where(documents.c.commanded_at.is_(None), documents.c.waiting_since.is_(None))
        query = query.where(is_older(documents.c.attempted_at, self.grace))
        rows = await self._read(query.where(documents.c.outcome.is_(None)))
        for *fields, was_reported in rows:
            attempt = DocumentAttempt(*fields)
            log.info("command_sent_late", document_id=attempt.document_id, attempt=attempt.attempt)
            shares = self.settings.shares
            await start_attempt(self.engine, self.reporter, attempt, shares=shares, is_reported=was_reported)
        return len(rows)

    async def publish_unpublished(self) -> int:
        """Publish outcomes that were recorded and not published; return their number."""
        query = _uploaded(documents.c.attempt).where(
            documents.c.outcome.is_not(None),
            documents.c.outcome_published_at.is_(None),
            is_older(documents.c.updated_at, self.grace),
        )
        rows = await self._read(query)
        for document_id, attempt in rows:
            log.info("outcome_published_late", document_id=document_id, attempt=attempt)
            await publish_outcome(self.engine, self.reporter, document_id, attempt)
        return len(rows)

    async def resend_stalled(self) -> int:
        """Send the command of documents again of which nothing was heard for long; return their number."""
        silence = timedelta(seconds=self.settings.silence_seconds)
        return await resend_stalled(self.engine, self.reporter, silence)

    async def finish_deletions(self) -> int:
        """Finish deletions that were marked and not finished; return their number."""
        rows = await self._read(
            select(documents.c.document_id, documents.c.owner_id, IS_UPLOADED).where(
                is_older(documents.c.deleted_at, self.grace)
            )
        )
        for document_id, owner_id, is_uploaded in rows:
            finish = partial(self.deletion.finish, document_id, owner_id, is_uploaded=is_uploaded)
            await run_step("sweeper", finish)
        return len(rows)

    async def forget_uploads(self) -> int:
        """Remove the bytes of uploads that ended before there was a document; return their number."""
        longest = timedelta(seconds=self.settings.upload_seconds) + self.grace
        rows = await self._read(
            select(upload_reservations.c.document_id).where(
                upload_reservations.c.reserved_at < func.now() - longest
            )
        )
        for (document_id,) in rows:
            await run_step("sweeper", partial(forget_upload, self.engine, self.deletion.objects, document_id))
        return len(rows)

    async def drop_old_receipts(self) -> None:
        """Forget webhook messages that are too old to be sent again."""
        async with self.engine.begin() as connection:
            await connection.execute(
                delete(webhook_receipts).where(webhook_receipts.c.received_at < func.now() - RECEIPTS_KEPT)
            )

    async def forget_owners(self) -> None:
        """Forget the owners of documents that were deleted long ago."""
        async with self.engine.begin() as connection:
            await connection.execute(forget_old_notes())

    async def forget_operations(self) -> None:
        """Forget bulk calls that ended long ago."""
        async with self.engine.begin() as connection:
            await forget_operations(connection)

    async def remove_vectors(self) -> int:
        """Remove the vectors that no chunk points to any more; return how many notes of such were looked at."""
        remove = partial(remove_unused_vectors, seconds=self.settings.grace_seconds, count=VECTORS)
        return await _repeat(partial(self._in_transaction, remove), least=VECTORS)

    async def take_over_embeddings(self) -> int:
        """Give embeddings of the last release the vector of their text; return their number."""
        async with self.engine.begin() as connection:
            await end_overlap(connection, seconds=self.settings.upgrade_overlap_seconds)
        take_over = partial(take_over_embeddings, count=VECTORS)
        count = await _repeat(partial(self._in_transaction, take_over), least=VECTORS)
        if not count:
            await drop_old_indexes(self.engine)
        return count

    async def update_terms(self) -> int:
        """Count the words of documents that are found by none, or by those of an older release; their number."""
        return await _repeat(partial(update_outdated_terms, self.engine))

    async def recount_terms(self) -> int:
        """Count again how frequent words are where that is searched; return the number of views."""
        async with self.engine.begin() as connection:
            await forget_views(connection)
        return await _repeat(partial(self._in_transaction, recount_view))

    async def _in_transaction(self, step: Callable[[AsyncConnection], Awaitable[int]]) -> int:
        async with self.engine.begin() as connection:
            return await step(connection)

    async def _read(self, query: "Select[*tuple[Any, ...]]") -> list[Row[*tuple[Any, ...]]]:
        async with self.engine.connect() as connection:
            # At random: a batch of rows of which none can be helped must not keep all others waiting.
            return list((await connection.execute(query.order_by(func.random()).limit(BATCH))).all())


async def _repeat(step: Callable[[], Awaitable[int]], *, least: int = 1) -> int:
    """Repeat a step until it does less than ``least``, or has had its share of time; return what it did in all."""
    clock = asyncio.get_running_loop().time
    until, total = clock() + BATCHES_SECONDS, 0
    while True:
        count = await step()
        total += count
        if count < least or clock() > until:
            return total


def _uploaded(*columns: ColumnElement[Any]) -> "Select[*tuple[Any, ...]]":
    return select(documents.c.document_id, *columns).where(IS_UPLOADED, IS_ALIVE)
