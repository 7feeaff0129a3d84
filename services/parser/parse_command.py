"""One ParseDocument from beginning to end; safe to run twice, and at any point after a crash."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from faststream.rabbit.message import RabbitMessage
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts import stages
from contracts.commands import Batching, StageCommand
from contracts.failures import DocumentFailed, FailureCode, StagecastError
from contracts.lanes import Lane
from contracts.stages import StageSpec
from contracts.statuses import SENTENCES, Status
from services.lifecycle.attempt_statements import store_parsed
from services.lifecycle.attempt_watch import while_wanted
from services.lifecycle.document_attempt import DocumentAttempt, Lock, locked_attempt
from services.lifecycle.intake import resolved_command
from services.lifecycle.outcome import publish_outcome, record_failure
from services.lifecycle.status_reporter import StatusReporter
from services.lifecycle.turn_statements import note_lane
from services.pacing.pace_table import KnownPaces
from services.pacing.time_left import time_for_pages_and_chunks
from services.parser.parse_result import ParseResult, read_result
from services.parser.parsed_document import ParsedDocument
from services.parser.sandbox import Sandbox
from services.runtime.database.engine import autocommit
from services.runtime.errors import Superseded
from services.runtime.object_store import ObjectStore
from services.search_terms.indexed_document import IndexedDocument
from services.search_terms.indexing import indexed
from services.search_terms.passages import names_of_document


@dataclass(frozen=True)
class Large:
    """Beyond either, a document's further commands are bulk."""

    pages: int
    chunks: int

    def lane(self, attempt: DocumentAttempt, result: ParseResult) -> Lane:
        """The lane of what follows: bulk if it was before, or is now known to be large."""
        is_large = (result.page_count or 0) > self.pages or result.chunk_count > self.chunks
        return Lane.BULK if attempt.is_bulk or is_large else Lane.FIRST


@dataclass(frozen=True)
class ParseCommandHandler:
    """Takes the commands of the stage ``spec``."""

    spec: StageSpec
    engine: AsyncEngine
    objects: ObjectStore
    sandbox: Sandbox
    reporter: StatusReporter
    batch_chunks: int
    large: Large
    paces: KnownPaces

    async def handle(self, command: StageCommand, message: RabbitMessage) -> None:
        """Parse a document unless that is done, report that, and ask for its chunks to be embedded.

        Raises Superseded when the document was deleted or started anew, Unavailable and its kin when a
        dependency is away. A document that can't be parsed is reported ``failed`` here, and is done.
        """
        async with resolved_command(self.engine, self.reporter, command, message) as resolved:
            if resolved is None:
                return
            connection, attempt = resolved
            result = await read_result(connection, attempt)
            if result is None:
                await self._report(attempt, 0, 0, None)
        with suppress(AlreadyParsed):
            if result is None and not await self._parse_and_store(attempt):
                return
        await self._hand_over(attempt)

    async def _parse_and_store(self, attempt: DocumentAttempt) -> bool:
        """Return True when there are chunks now; False when the document failed, and was reported so."""
        started_at = datetime.now(UTC)
        try:
            parsed, terms = await while_wanted(self.engine, attempt, self._read_and_index(attempt))
        except DocumentFailed as failure:
            await self._fail(attempt, failure)
            return False
        # One statement, which looks by itself whether the attempt is still the current one.
        async with autocommit(self.engine).connect() as connection:
            is_current = await store_parsed(
                connection,
                attempt,
                parsed.chunks,
                terms,
                page_count=parsed.page_count,
                batching=Batching(len(parsed.chunks), self.batch_chunks),
                details=_details(parsed),
                started_at=started_at,
            )
        if not is_current:
            raise Superseded(f"{attempt.document_id} attempt {attempt.attempt}")
        return True

    async def _read_and_index(self, attempt: DocumentAttempt) -> tuple[ParsedDocument, IndexedDocument]:
        parsed = await self._read_chunks(attempt)
        names = names_of_document(parsed.metadata.get("title"), attempt.filename)
        is_abandoned = threading.Event()
        try:
            # In a thread, which can only be asked to stop: a book has words for a second.
            index = partial(
                indexed, parsed.chunks, names, attempt.owner_id, _language(parsed.metadata),
                is_abandoned=is_abandoned.is_set,
            )  # fmt: skip
            return parsed, await asyncio.to_thread(index)
        finally:
            is_abandoned.set()

    async def _read_chunks(self, attempt: DocumentAttempt) -> ParsedDocument:
        try:
            async with self.objects.local_copy(attempt.document_id) as path:
                return await self.sandbox.parse(
                    path, attempt.file_type, self._on_progress(attempt), filename=attempt.filename or ""
                )
        except FileNotFoundError as error:
            raise DocumentFailed(FailureCode.INTERNAL, "The document's bytes are gone.") from error

    def _on_progress(self, attempt: DocumentAttempt) -> Callable[[int, int], Awaitable[None]]:
        began = monotonic()

        async def report(pages_done: int, page_count: int) -> None:
            paces = await self.paces.read()
            left = time_for_pages_and_chunks(pages_done, page_count, monotonic() - began, paces)
            async with locked_attempt(self.engine, *attempt.key) as (connection, _):
                await _refuse_parsed(connection, attempt)
                await self._report(attempt, pages_done, page_count, left)

        return report

    async def _report(
        self, attempt: DocumentAttempt, pages_done: int, page_count: int, seconds_left: float | None
    ) -> None:
        metadata: dict[str, JsonValue] = {}
        message = SENTENCES[Status.PARSING]
        if page_count:
            metadata = {"pagesDone": pages_done, "pageCount": page_count, "secondsLeft": seconds_left}
            message = f"{pages_done} of {page_count} pages are parsed."
        event = self.reporter.event(attempt, Status.PARSING, message, metadata, progress=pages_done)
        await self.reporter.publish(event)

    async def _fail(self, attempt: DocumentAttempt, failure: DocumentFailed) -> None:
        async with locked_attempt(self.engine, *attempt.key, lock=Lock.EXCLUSIVE) as (connection, _):
            await _refuse_parsed(connection, attempt)
            await record_failure(connection, self.reporter, attempt, failure, self.spec.stage)
        await publish_outcome(self.engine, self.reporter, *attempt.key)

    async def _hand_over(self, attempt: DocumentAttempt) -> None:
        # Exclusive, so that ``parsed`` follows every ``parsing``, also one by a worker that was taken for dead.
        async with locked_attempt(self.engine, *attempt.key, lock=Lock.EXCLUSIVE) as (connection, attempt):
            # Locked, so that ``parsed`` is never repeated once an embedder has said ``embedding``.
            result = await read_result(connection, attempt, lock=True)
            if result is None:
                raise RuntimeError("an attempt that was stored is gone")
            if not result.embedding_has_started:
                event = self.reporter.event(attempt, Status.PARSED, _sentence(result), _counts(result))
                await self.reporter.publish(event)
            lane = self.large.lane(attempt, result)
            if lane != attempt.lane:
                await note_lane(connection, attempt, lane)
        following = stages.following(self.spec)
        commands = following.command.for_attempt(*attempt.key, result.batching) if following else []
        waiting = [command for command in commands if command.part in result.waiting_batches]
        for command in waiting or commands:  # a stage that takes an attempt as a whole knows no batches
            await self.reporter.publisher.command(command, lane)


class AlreadyParsed(StagecastError):
    """Another worker has stored the result: a delivery may come again while the first still works on it."""


async def _refuse_parsed(connection: AsyncConnection, attempt: DocumentAttempt) -> None:
    if await read_result(connection, attempt) is not None:
        raise AlreadyParsed


def _language(metadata: dict[str, str]) -> str | None:
    """The ISO 639-1 code of the language that a document says it is in, whatever its region."""
    code = re.split("[-_]", metadata.get("language", "").strip().lower())[0]
    return code if re.fullmatch("[a-z]{2}", code) else None


def _details(parsed: ParsedDocument) -> dict[str, object]:
    pages = {"pagesFailed": parsed.pages_failed, "pagesGarbled": parsed.pages_garbled}
    return {**parsed.metadata, **{name: list(numbers) for name, numbers in pages.items() if numbers}}


def _counts(result: ParseResult) -> dict[str, JsonValue]:
    counts: dict[str, JsonValue] = {
        "chunkCount": result.chunk_count,
        "pageCount": result.page_count,
        "tokenCount": result.token_count,
    }
    for name in ("pagesFailed", "pagesGarbled"):
        pages = result.details.get(name)
        if isinstance(pages, list):
            counts[name] = pages
    return counts


def _sentence(result: ParseResult) -> str:
    pages = f" from {result.page_count} pages" if result.page_count else ""
    return f"{result.chunk_count} chunks{pages} wait to be embedded."
