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
from services.parser.child_process import ChildDied, ChildNotReady, ChildProcess
from services.parser.formats.reading import MAX_CHARACTERS, PdfEngineName
from services.parser.normalization import clean
from services.parser.parsed_document import ParsedDocument
from services.runtime import media_types
from services.runtime.process.logging import get_logger

MOST_CHARACTERS = 2 * MAX_CHARACTERS
"""From one child, which has read a hostile file and is not believed to keep to its own limit."""

OnProgress = Callable[[int, int], Awaitable[None]]

log = get_logger(__name__)


class Sandbox:
    """A fixed number of parser children; use it as an async context manager."""

    def __init__(
        self,
        *,
        processes: int,
        memory_bytes: int,
        timeout_seconds: float,
        documents_per_process: int = 50,
        pdf_engine: PdfEngineName = "auto",
        embedding_model: str,
    ) -> None:
        """``memory_bytes`` is what a child may take beyond what it needs to be ready.

        ``timeout_seconds`` is for one document. A child is replaced after ``documents_per_process``.
        """
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._timeout_seconds = timeout_seconds
        self._documents_per_process = documents_per_process
        self._pdf_engine: PdfEngineName = pdf_engine
        self._embedding_model = embedding_model
        self._idle: asyncio.Queue[asyncio.Task[ChildProcess]] = asyncio.Queue()
        self._children: set[asyncio.Task[ChildProcess]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        """Start the children; raises ChildNotReady when they can't."""
        for _ in range(self._processes):
            self._idle.put_nowait(self._start())
        try:
            await asyncio.gather(*self._children)
        except BaseException:
            await self._end_all()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill the children, those at work too."""
        await self._end_all()

    async def parse(
        self, path: Path, media_type: str, on_progress: OnProgress, *, filename: str = ""
    ) -> ParsedDocument:
        """Read a file and cut it into chunks; raises DocumentFailed.

        ``filename`` is what it was uploaded under, and its title where it has none.

        ``on_progress`` is awaited with pages done and page count, in formats with pages: after the first
        page, then at most about four times a second, and after the last. Cancelled, it kills the child.
        Raises ChildNotReady or ChildDied when it is the sandbox that fails, and not the document.
        """
        budget = _TimeBudget(self._timeout_seconds)
        engines: tuple[PdfEngineName, ...] = (self._pdf_engine,)
        if self._pdf_engine == "auto" and media_type == media_types.PDF:
            # PDFium aborts on some files that pypdf reads.
            engines = ("auto", "pypdf")
        tasks = [
            ipc.Task(path=str(path), media_type=media_type, filename=filename, pdf_engine=engine)
            for engine in engines
        ]
        for task in tasks[:-1]:
            try:
                return await self._parse(task, on_progress, budget)
            except ChildDied as died:
                self._report(died)
        try:
            return await self._parse(tasks[-1], on_progress, budget)
        except ChildDied as died:
            self._report(died)
            raise _failure(died) from died

    async def _parse(self, task: ipc.Task, on_progress: OnProgress, budget: "_TimeBudget") -> ParsedDocument:
        child = await self._idle.get()
        healthy = False
        try:
            answer, chunks = await _exchange(await asyncio.shield(child), task, on_progress, budget)
            healthy = not _is_suspect(answer)
        finally:
            self._give_back(child, healthy=healthy)
        return _document(answer, chunks)

    def _start(self) -> asyncio.Task[ChildProcess]:
        starting = ChildProcess.start(self._memory_bytes, self._embedding_model)
        child = asyncio.create_task(starting, name="parser-child")
        self._children.add(child)
        return child

    def _give_back(self, child: asyncio.Task[ChildProcess], *, healthy: bool) -> None:
        if self._closed:
            return
        if healthy and child.result().documents < self._documents_per_process:
            self._idle.put_nowait(child)
            return
        self._children.discard(child)
        ending = asyncio.create_task(_end(child), name="parser-child-end")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._idle.put_nowait(self._start())

    async def _end_all(self) -> None:
        self._closed = True
        await asyncio.gather(*map(_end, self._children), *self._ending)

    def _report(self, died: ChildDied) -> None:
        if self._closed:
            raise died
        log.warning("parser_child_died", returncode=died.returncode, stderr=died.stderr[-2000:])


class _TimeBudget:
    """The time that a document still has. Reporting its progress doesn't count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    async def wait_for(self, answer: Awaitable[ipc.Answer]) -> ipc.Answer:
        """Wait as long as there is time; raises DocumentFailed."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left):
                return await answer
        except TimeoutError:
            raise DocumentFailed(
                FailureCode.PARSE_TIMEOUT, "Parsing the document took more time than is allowed."
            ) from None
        finally:
            self._left -= clock() - began


async def _exchange(
    child: ChildProcess, task: ipc.Task, on_progress: OnProgress, budget: _TimeBudget
) -> tuple[ipc.Parsed | ipc.Failed, list[Chunk]]:
    await child.give(task)
    chunks: list[Chunk] = []
    characters, reported = 0, -1
    while True:
        match await budget.wait_for(child.answer()):
            case ipc.Progress(pages_done=pages_done, page_count=page_count):
                if pages_done > reported:
                    reported = pages_done
                    await on_progress(pages_done, page_count)
            case ipc.Chunks(chunks=more):
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
        metadata=answer.metadata,
    )


def _failure(died: ChildDied) -> DocumentFailed:
    if died.of_memory:
        return DocumentFailed(ipc.OUT_OF_MEMORY.code, ipc.OUT_OF_MEMORY.message)
    return DocumentFailed(FailureCode.PARSER_CRASHED, "The document made the parser crash.")


async def _end(starting: asyncio.Task[ChildProcess]) -> None:
    if not starting.done():
        starting.cancel()
    try:
        child = await starting
    except (asyncio.CancelledError, ChildNotReady):
        return
    await child.kill()
