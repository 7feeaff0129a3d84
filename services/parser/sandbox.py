"""Child processes that read files and can be lost: warm, confined, recycled, and killed when late."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Self

from contracts.events import MAX_MESSAGE_CHARACTERS
from contracts.failures import DocumentFailed, FailureCode
from services.lifecycle.chunk import Chunk
from services.parser import ipc
from services.parser.child_pool import ChildPool, PoolSize
from services.parser.child_process import ChildDied, ChildProcess
from services.parser.formats.reading import MAX_CHARACTERS, PdfEngineName
from services.parser.limits.next_try import Reached, next_try
from services.parser.limits.slow_documents import SLOW_SECONDS
from services.parser.limits.time_budget import TimeBudget
from services.parser.normalization import clean
from services.parser.parsed_document import ParsedDocument
from services.runtime.process.logging import get_logger

MOST_CHARACTERS = 2 * MAX_CHARACTERS
"""From one child, which has read a hostile file and is not believed to keep to its own limit."""

_PROGRESS_SECONDS = 0.25
FURTHER_SECONDS = 5
"""In a further try, beyond what the engine that stands in may take: for all that can't be interrupted."""

OnProgress = Callable[[int, int], Awaitable[None]]

log = get_logger(__name__)


class Sandbox:
    """A bounded number of parser children; use it as an async context manager.

    ``processes`` of them, and one more for each document that is slow, ``spare_processes`` at most: a few files
    that take their whole time hold nobody else up.
    """

    def __init__(
        self,
        *,
        processes: int,
        memory_bytes: int,
        timeout_seconds: float,
        stall_seconds: float = 30,
        stand_in_seconds: float = 15,
        further_seconds: float = FURTHER_SECONDS,
        documents_per_process: int = 50,
        spare_processes: int = 0,
        pdf_engine: PdfEngineName = "auto",
        embedding_model: str,
        niceness: int = 0,
    ) -> None:
        """``memory_bytes`` is what a child may take beyond what it needs to be ready.

        ``timeout_seconds`` is for one document, ``stall_seconds`` for what passes without a finished page, and
        ``stand_in_seconds`` for the engine that stands in for another. A child is replaced after
        ``documents_per_process``, and has a ``niceness`` beyond that of this process.
        """
        self._memory_bytes = memory_bytes
        self._timeout_seconds = timeout_seconds
        self._stall_seconds = stall_seconds
        self._further_seconds = further_seconds
        self._stand_in_seconds = min(stand_in_seconds, stall_seconds / 2)
        self._pdf_engine: PdfEngineName = pdf_engine
        self._embedding_model = embedding_model
        self._niceness = niceness
        self._children = ChildPool(PoolSize(processes, spare_processes, documents_per_process), self._start)

    @property
    def slow_documents(self) -> int:
        """The number of documents under way for which another child stands in."""
        return self._children.slow_documents

    async def __aenter__(self) -> Self:
        """Start the children; raises ChildNotReady when they can't."""
        await self._children.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill the children, those at work too."""
        await self._children.__aexit__(*_)

    async def parse(
        self, path: Path, media_type: str, on_progress: OnProgress, *, filename: str = ""
    ) -> ParsedDocument:
        """Read a file and cut it into chunks; raises DocumentFailed.

        ``filename`` is what it was uploaded under, and its title where it has none.

        ``on_progress`` is awaited with pages done and page count, in formats with pages: after the first
        page, then at most about four times a second, and after the last. Cancelled, it kills the child.
        Raises ChildNotReady or ChildDied when it is the sandbox that fails, and not the document.
        """
        task = ipc.Task(
            path=str(path),
            media_type=media_type,
            filename=filename,
            pdf_engine=self._pdf_engine,
            stand_in_seconds=self._stand_in_seconds,
        )
        with self._children.document() as note_slow:
            budget = TimeBudget(self._timeout_seconds, slow_seconds=SLOW_SECONDS, on_slow=note_slow)
            return await self._read(task, _ToldProgress(on_progress), budget)

    async def _read(self, task: ipc.Task, told: "_ToldProgress", budget: TimeBudget) -> ParsedDocument:
        """Try as often as there is something to try; raises DocumentFailed."""
        trouble: DocumentFailed | None = None
        while True:
            budget.begin_try(self._patience(task))
            reached = Reached()
            try:
                return await self._try(task, reached, told, budget)
            except (ChildDied, DocumentFailed) as error:
                failure = self._failure(error)
            if trouble is None or task.last_page is None:
                trouble = failure  # and not that the pages which were read before have no text
            following = next_try(task, reached, failure)
            if following is None:
                raise trouble
            log.warning(
                "parse_tried_again",
                code=failure.code.value,
                pages_done=reached.pages_done,
                page_count=reached.page_count,
            )
            task = following

    def _patience(self, task: ipc.Task) -> float:
        """Seconds that may pass without a finished page."""
        return self._stand_in_seconds + self._further_seconds if task.is_careful else self._stall_seconds

    async def _try(
        self, task: ipc.Task, reached: Reached, told: "_ToldProgress", budget: TimeBudget
    ) -> ParsedDocument:
        child = await self._children.take()
        healthy = False
        try:
            answer, chunks = await _exchange(await asyncio.shield(child), task, reached, told, budget)
            healthy = not _is_suspect(answer)
        finally:
            self._children.give_back(child, healthy=healthy)
        return _document(answer, chunks)

    def _start(self) -> asyncio.Task[ChildProcess]:
        starting = ChildProcess.start(self._memory_bytes, self._embedding_model, niceness=self._niceness)
        return asyncio.create_task(starting, name="parser-child")

    def _failure(self, error: ChildDied | DocumentFailed) -> DocumentFailed:
        """What becomes of the document when a try ends so; raises ChildDied when it is the sandbox that ends."""
        if isinstance(error, DocumentFailed):
            return error
        if self._children.is_closed:
            raise error
        log.warning("parser_child_died", returncode=error.returncode, stderr=error.stderr[-2000:])
        if error.of_memory:
            return DocumentFailed(ipc.OUT_OF_MEMORY.code, ipc.OUT_OF_MEMORY.message)
        return DocumentFailed(FailureCode.PARSER_CRASHED, "The document made the parser crash.")


class _ToldProgress:
    """What the document's owner was told: each page once, and not more often than can be read."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._pages_done = 0
        self._quiet_until = 0.0

    async def tell(self, reached: Reached) -> None:
        now = asyncio.get_running_loop().time()
        is_due = now >= self._quiet_until or reached.pages_done == reached.page_count
        if reached.pages_done > self._pages_done and is_due:
            self._pages_done, self._quiet_until = reached.pages_done, now + _PROGRESS_SECONDS
            await self._on_progress(reached.pages_done, reached.page_count)


async def _exchange(
    child: ChildProcess, task: ipc.Task, reached: Reached, told: _ToldProgress, budget: TimeBudget
) -> tuple[ipc.Parsed | ipc.Failed, list[Chunk]]:
    await child.give(task)
    chunks: list[Chunk] = []
    characters = 0
    while True:
        match await budget.wait_for(child.answer()):
            case ipc.Progress() as progress:
                if reached.note(progress):
                    budget.got_on()
                    await told.tell(reached)
            case ipc.Step():
                budget.got_on()
            case ipc.Chunks(chunks=more):
                budget.got_on()
                characters += sum(len(chunk.text) + len(chunk.context) for chunk in more)
                if characters > MOST_CHARACTERS:
                    raise DocumentFailed(FailureCode.TOO_LARGE, "The document has more text than is read.")
                chunks += more
            case ipc.Parsed() | ipc.Failed() as last:
                return last, chunks


def _is_suspect(answer: ipc.Parsed | ipc.Failed) -> bool:
    """Return whether a child may not be what it was: it ran out of memory, or into a bug."""
    return isinstance(answer, ipc.Failed) and answer.code in {
        FailureCode.PARSE_MEMORY,
        FailureCode.INTERNAL,
    }


def _document(answer: ipc.Parsed | ipc.Failed, chunks: list[Chunk]) -> ParsedDocument:
    if answer.swallowed:
        log.warning("parser_errors_swallowed", errors=[asdict(error) for error in answer.swallowed])
    if isinstance(answer, ipc.Failed):
        if answer.detail:
            log.error("parser_child_bug", detail=answer.detail)
        raise DocumentFailed(answer.code, clean(answer.message)[:MAX_MESSAGE_CHARACTERS])
    return ParsedDocument(
        chunks=tuple(chunks),
        page_count=answer.page_count,
        pages_failed=answer.pages_failed,
        pages_garbled=answer.pages_garbled,
        metadata=answer.metadata,
    )
