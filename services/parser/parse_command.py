"""One ParseDocument from beginning to end; safe to run twice, and at any point after a crash."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from faststream.rabbit.message import RabbitMessage
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts import stages
from contracts.commands import StageCommand
from contracts.failures import DocumentFailed, FailureCode
from contracts.stages import StageSpec
from contracts.statuses import Status
from services.lifecycle.document_attempt import DocumentAttempt, locked_attempt
from services.lifecycle.intake import resolve_command
from services.lifecycle.outcome import publish_outcome, record_failure
from services.lifecycle.status_reporter import StatusReporter
from services.parser.parse_result import ParseResult, read_result, waiting_batches, write_result
from services.parser.parsed_document import ParsedDocument
from services.parser.sandbox import Sandbox
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore


@dataclass(frozen=True)
class ParseCommandHandler:
    """What the parser works with."""

    spec: StageSpec
    engine: AsyncEngine
    objects: ObjectStore
    sandbox: Sandbox
    publisher: Publisher
    reporter: StatusReporter
    batch_chunks: int

    async def handle(self, command: StageCommand, message: RabbitMessage) -> None:
        """Take a delivery: parse what it asks for, unless that is done and nobody asks again."""
        document = await resolve_command(self.engine, self.publisher, self.reporter, command, message)
        if document is not None:
            await self.parse(document)

    async def parse(self, document: DocumentAttempt) -> None:
        """Parse a document unless that is done, say so, and ask for its chunks to be embedded.

        Raises Superseded when the document was deleted or started anew, Unavailable and its kin when a
        dependency is away. A document that can't be parsed is reported ``failed`` here, and is done.
        """
        async with locked_attempt(self.engine, document.document_id, document.attempt) as (connection, _):
            result = await read_result(connection, document)
        with suppress(AlreadyParsed):
            if result is None and not await self._parse_and_store(document):
                return
        await self._hand_over(document)

    async def _parse_and_store(self, document: DocumentAttempt) -> bool:
        """True when there are chunks now; False when the document failed, and was reported so."""
        started_at = datetime.now(UTC)
        await self._report_progress(document)(0, 0)
        try:
            parsed = await self._read_chunks(document)
        except DocumentFailed as failure:
            await self._fail(document, failure)
            return False
        async with locked_attempt(self.engine, document.document_id, document.attempt) as (connection, _):
            await write_result(connection, document, parsed, started_at, self.batch_chunks)
        return True

    async def _read_chunks(self, document: DocumentAttempt) -> ParsedDocument:
        try:
            async with self.objects.local_copy(document.document_id) as path:
                return await self.sandbox.parse(path, document.file_type, self._report_progress(document))
        except FileNotFoundError as error:
            raise DocumentFailed(FailureCode.INTERNAL, "The document's bytes are gone.") from error

    def _report_progress(self, document: DocumentAttempt) -> Callable[[int, int], Awaitable[None]]:
        async def report(pages_done: int, page_count: int) -> None:
            metadata: dict[str, JsonValue] = {}
            message = "The document is being parsed."
            if page_count:
                metadata |= {"pagesDone": pages_done, "pageCount": page_count}
                message = f"{pages_done} of {page_count} pages are parsed."
            async with locked_attempt(self.engine, document.document_id, document.attempt) as (connection, _):
                await _refuse_parsed(connection, document)
                await self.reporter.report(document, Status.PARSING, message, metadata, progress=pages_done)

        return report

    async def _fail(self, document: DocumentAttempt, failure: DocumentFailed) -> None:
        key = (document.document_id, document.attempt)
        async with locked_attempt(self.engine, *key, exclusive=True) as (connection, _):
            await _refuse_parsed(connection, document)
            await record_failure(connection, self.reporter, document, failure, self.spec.stage)
        await publish_outcome(self.engine, self.reporter, *key)

    async def _hand_over(self, document: DocumentAttempt) -> None:
        # Alone, so that ``parsed`` follows every ``parsing``, also one by a worker that was taken for dead.
        key = (document.document_id, document.attempt)
        async with locked_attempt(self.engine, *key, exclusive=True) as (connection, _):
            # Locked, so that ``parsed`` is never repeated once an embedder has said ``embedding``.
            result = await read_result(connection, document, lock=True)
            if result is None:
                raise RuntimeError("an attempt that was stored is gone")
            if not result.embedding_has_started:
                await self.reporter.report(document, Status.PARSED, _sentence(result), _counts(result))
            waiting = await waiting_batches(connection, document, result)
        if following := stages.following(self.spec):
            for command in following.command.for_attempt(*key, result.batching):
                if command.part in waiting:
                    await self.publisher.command(command)


class AlreadyParsed(Exception):
    """Another worker has stored the result: a delivery may come again while the first still works on it."""


async def _refuse_parsed(connection: AsyncConnection, document: DocumentAttempt) -> None:
    if await read_result(connection, document) is not None:
        raise AlreadyParsed


def _counts(result: ParseResult) -> dict[str, JsonValue]:
    failed = result.details.get("pagesFailed")
    counts: dict[str, JsonValue] = {
        "chunkCount": result.chunk_count,
        "pageCount": result.page_count,
        "tokenCount": result.token_count,
    }
    if isinstance(failed, list):
        counts["pagesFailed"] = failed
    return counts


def _sentence(result: ParseResult) -> str:
    pages = f" from {result.page_count} pages" if result.page_count else ""
    return f"{result.chunk_count} chunks{pages} wait to be embedded."
