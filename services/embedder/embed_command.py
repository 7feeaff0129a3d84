"""One EmbedChunks from beginning to end; safe to run twice, and at any point after a crash."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from faststream.rabbit.message import RabbitMessage
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.commands import Batching, EmbedChunks
from contracts.events import StatusEvent
from contracts.lanes import Lane
from contracts.statuses import Status
from services.embedder.batcher import Batcher
from services.embedder.embedding_model import EmbeddingModel, Vectors
from services.lifecycle.attempt_statements import remove_older_attempts
from services.lifecycle.attempt_watch import while_wanted
from services.lifecycle.batch_statements import (
    begin_batch,
    read_progress,
    store_batch,
)
from services.lifecycle.chunk import BatchChunk
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.document_statements import record_outcome
from services.lifecycle.intake import resolved_command
from services.lifecycle.outcome import publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.pacing.time_left import time_left
from services.runtime.errors import MalformedMessage, Superseded


@dataclass(frozen=True)
class Progress:
    """The progress of an attempt's embedding."""

    embedded_count: int
    chunk_count: int
    is_complete: bool
    started_at: datetime
    batch_chunks: int
    seconds: float | None
    """Since the first batch was begun."""

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Read it from the first columns of a row."""
        return cls(*tuple(row)[: len(fields(cls))])

    def has_batch(self, command: EmbedChunks) -> bool:
        """Return whether a command's bounds are those of a batch of this attempt."""
        bounds = Batching(self.chunk_count, self.batch_chunks).bounds(command.batch)
        return (command.first, command.count) == bounds


@dataclass(frozen=True)
class EmbedCommandHandler:
    """Takes the commands to embed a batch."""

    engine: AsyncEngine
    model: EmbeddingModel
    batcher: Batcher
    reporter: StatusReporter
    lane: Lane = Lane.FIRST

    async def handle(self, command: EmbedChunks, message: RabbitMessage) -> None:
        """Embed one batch unless that is done; whoever completes the document reports ``embedded``.

        Raises Superseded when the document was deleted or started anew, Unavailable and its kin when a
        dependency is away.
        """
        async with resolved_command(self.engine, self.reporter, command, message) as resolved:
            if resolved is None:
                return
            connection, attempt = resolved
            batch = await self._begin(connection, attempt, command)
        vectors = {}
        if batch is not None:
            # What waits for the model goes with the document: the batcher drops the rows of who was cancelled.
            vectors = await while_wanted(self.engine, attempt, self._embed(batch))
        # One at a time: the attempt's row is written, and then perhaps the document's.
        async with locked_attempt(self.engine, *attempt.key, lock=Lock.WRITING) as (connection, _):
            stored = None
            if batch is not None:
                stored = await store_batch(connection, attempt, command, self.model.name, batch, vectors)
            # A delivery that finds its batch done looks too: an earlier one may have died before the end.
            progress = Progress.of(stored or await self._read_progress(connection, attempt))
            if progress.is_complete:
                await self._complete(connection, attempt, progress)
            elif stored:
                # Inside, while the attempt's row is locked: the log has progress in order.
                await self._report_progress(attempt, progress)
        if progress.is_complete:
            await publish_outcome(self.engine, self.reporter, *attempt.key)

    async def _embed(self, batch: Sequence[BatchChunk]) -> dict[str, Vectors]:
        """Return the vectors of the texts that have none, each text once."""
        texts = list(dict.fromkeys(chunk.embedded_text for chunk in batch if not chunk.has_vector))
        return dict(zip(texts, await self.batcher.embed(texts, lane=self.lane), strict=True))

    async def _begin(
        self, connection: AsyncConnection, attempt: DocumentAttempt, command: EmbedChunks
    ) -> list[BatchChunk] | None:
        """Return the chunks of the batch, or None when it is embedded already."""
        begun = await begin_batch(connection, attempt, command, self.model.name)
        if begun is None:
            raise Superseded(f"{attempt.document_id}: no chunks for batch {command.batch}")
        progress = Progress.of(begun)
        if not progress.has_batch(command):
            # A batch of other bounds would count as one of ours, and leave a hole.
            raise MalformedMessage(f"the attempt has no batch {command.batch} of these bounds")
        if begun.is_first:
            await self._report_progress(attempt, progress)
        return (
            None
            if begun.is_embedded
            else list(map(BatchChunk, begun.contexts, begun.texts, begun.has_vector))
        )

    async def _read_progress(self, connection: AsyncConnection, attempt: DocumentAttempt) -> Row[Any]:
        row = await read_progress(connection, attempt)
        if row is None:
            raise Superseded(f"{attempt.document_id}: its chunks are gone")
        return row

    async def _report_progress(self, attempt: DocumentAttempt, progress: Progress) -> None:
        event = self.reporter.event(
            attempt,
            Status.EMBEDDING,
            f"{progress.embedded_count} of {progress.chunk_count} chunks are embedded.",
            {
                "embeddedCount": progress.embedded_count,
                "chunkCount": progress.chunk_count,
                "secondsLeft": time_left(progress.embedded_count, progress.chunk_count, progress.seconds),
            },
            progress=progress.embedded_count,
        )
        await self.reporter.publish(event)

    async def _complete(
        self, connection: AsyncConnection, attempt: DocumentAttempt, progress: Progress
    ) -> None:
        """End the attempt as ``embedded``, and let search see it, and no earlier one, in the same moment."""
        await record_outcome(connection, attempt, self._embedded(attempt, progress), is_visible=True)
        if attempt.attempt > 1:
            await remove_older_attempts(connection, attempt)

    def _embedded(self, attempt: DocumentAttempt, progress: Progress) -> StatusEvent:
        # By the clocks of two processes, of which either may have been set meanwhile.
        took = max(timedelta(0), datetime.now(UTC) - progress.started_at)
        return self.reporter.event(
            attempt,
            Status.EMBEDDED,
            f"The document is searchable: {progress.embedded_count} chunks.",
            {
                "embeddingCount": progress.embedded_count,
                "model": self.model.name,
                "dimensions": self.model.dimensions,
                "durationMs": int(took.total_seconds() * 1000),
            },
        )
