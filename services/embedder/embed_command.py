"""One EmbedChunks from beginning to end; safe to run twice, and at any point after a crash."""

from dataclasses import dataclass
from datetime import UTC, datetime

from faststream.rabbit.message import RabbitMessage
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.commands import EmbedChunks
from contracts.events import StatusEvent
from contracts.statuses import Status
from services.embedder.batcher import Batcher
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.vectors import (
    Progress,
    begin_embedding,
    is_embedded,
    make_visible,
    read_progress,
    read_texts,
    write_batch,
)
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.intake import resolve_command
from services.lifecycle.outcome import publish_outcome, record_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import MalformedMessage, Superseded
from services.runtime.messaging.publisher import Publisher


@dataclass(frozen=True)
class EmbedCommandHandler:
    """What the embedder works with."""

    engine: AsyncEngine
    model: EmbeddingModel
    batcher: Batcher
    publisher: Publisher
    reporter: StatusReporter

    async def handle(self, command: EmbedChunks, message: RabbitMessage) -> None:
        """Take a delivery: embed what it asks for, unless that is done and nobody asks again."""
        document = await resolve_command(self.engine, self.publisher, self.reporter, command, message)
        if document is not None:
            await self.embed(document, command)

    async def embed(self, document: DocumentAttempt, command: EmbedChunks) -> None:
        """Embed one batch unless that is done; whoever completes the document reports ``embedded``.

        Raises Superseded when the document was deleted or started anew, Unavailable and its kin when a
        dependency is away.
        """
        texts = await self._begin(document, command)
        if texts is None or await self._embed_batch(document, command, texts):
            await self._complete(document)

    async def _embed_batch(self, document: DocumentAttempt, command: EmbedChunks, texts: list[str]) -> bool:
        """Store the vectors of a batch; True when the document may be complete."""
        vectors = await self.batcher.embed(texts)
        async with locked_attempt(self.engine, document.document_id, document.attempt) as (connection, _):
            progress = await write_batch(connection, document, command, self.model.name, vectors)
            if progress is None:
                return True
            if not progress.is_complete:
                # Inside, while the attempt's row is locked: the log has progress in order.
                await self._report_progress(document, progress)
            return progress.is_complete

    async def _begin(self, document: DocumentAttempt, command: EmbedChunks) -> list[str] | None:
        async with locked_attempt(self.engine, document.document_id, document.attempt) as (connection, _):
            if await is_embedded(connection, document, command.batch):
                return None
            progress = await read_progress(connection, document)
            if progress is None:
                raise Superseded(f"{document.document_id}: no chunks for batch {command.batch}")
            if not progress.has_batch(command):
                # A batch of other bounds would count as one of ours, and leave a hole.
                raise MalformedMessage(f"the attempt has no batch {command.batch} of these bounds")
            texts = await read_texts(connection, document, command)
            if await begin_embedding(connection, document):
                await self._report_progress(document, progress)
        return texts

    async def _report_progress(self, document: DocumentAttempt, progress: Progress) -> None:
        await self.reporter.report(
            document,
            Status.EMBEDDING,
            f"{progress.embedded_count} of {progress.chunk_count} chunks are embedded.",
            {"embeddedCount": progress.embedded_count, "chunkCount": progress.chunk_count},
            progress=progress.embedded_count,
        )

    async def _complete(self, document: DocumentAttempt) -> None:
        """End the attempt as ``embedded`` when its last batch is done; say so after the commit.

        A delivery that finds its batch done looks too: an earlier one may have died between the two.
        """
        key = (document.document_id, document.attempt)
        async with locked_attempt(self.engine, *key, exclusive=True) as (connection, _):
            progress = await read_progress(connection, document)
            if progress is None or not progress.is_complete:
                return
            await make_visible(connection, document)
            await record_outcome(connection, document, self._embedded(document, progress))
        await publish_outcome(self.engine, self.reporter, *key)

    def _embedded(self, document: DocumentAttempt, progress: Progress) -> StatusEvent:
        took = datetime.now(UTC) - progress.started_at
        return self.reporter.event(
            document,
            Status.EMBEDDED,
            f"The document is searchable: {progress.embedded_count} chunks.",
            {
                "embeddingCount": progress.embedded_count,
                "model": self.model.name,
                "dimensions": self.model.dimensions,
                "durationMs": int(took.total_seconds() * 1000),
            },
        )
