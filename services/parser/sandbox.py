"""Files are read in child processes that can be lost: warm, confined, recycled, and killed when late."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from contracts.failures import DocumentFailed, FailureCode
from services.parser import frames
from services.parser.childprocess import ChildDied, ChildProcess
from services.parser.document import Chunk, ParsedDocument
from services.parser.formats.reading import PdfEngineName
from services.runtime import mediatype

OnProgress = Callable[[int, int], Awaitable[None]]

log = structlog.get_logger(__name__)


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
        self._places: asyncio.Queue[asyncio.Task[ChildProcess]] = asyncio.Queue()
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start the children; raises ChildDied when they can't start."""
        starting = [self._start() for _ in range(self._processes)]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            await self._end(starting)
            raise
        for child in starting:
            self._places.put_nowait(child)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill the children."""
        children = []
        while not self._places.empty():
            children.append(self._places.get_nowait())
        await self._end(children)
        await asyncio.gather(*self._ending)

    async def parse(self, path: Path, media_type: str, on_progress: OnProgress) -> ParsedDocument:
        """Read a file and cut it into chunks; raises DocumentFailed.

        ``on_progress`` is awaited with pages done and page count, in formats with pages: after the first
        page, then at most about four times a second, and after the last. Cancelled, it kills the child.
        """
        patience = _Patience(self._timeout_seconds)
        try:
            return await self._parse(path, media_type, self._pdf_engine, on_progress, patience)
        except ChildDied as died:
            log.warning("parser_child_died", returncode=died.returncode, stderr=died.stderr[-2000:])
            if self._pdf_engine != "auto" or media_type != mediatype.PDF:
                raise _failure(died) from died
        # PDFium aborts on some files that pypdf reads.
        try:
            return await self._parse(path, media_type, "pypdf", on_progress, patience)
        except ChildDied as died:
            log.warning("parser_child_died", returncode=died.returncode, stderr=died.stderr[-2000:])
            raise _failure(died) from died

    async def _parse(
        self,
        path: Path,
        media_type: str,
        engine: PdfEngineName,
        on_progress: OnProgress,
        patience: "_Patience",
    ) -> ParsedDocument:
        place = await self._places.get()
        healthy = False
        try:
            child = await asyncio.shield(place)
            task = frames.Task(path=str(path), media_type=media_type, pdf_engine=engine)
            answer, chunks = await _converse(child, task, on_progress, patience)
            healthy = child.documents < self._documents_per_process and not _is_suspect(answer)
        finally:
            self._places.put_nowait(place if healthy else self._replace(place))
        return _document(answer, chunks)

    def _start(self) -> asyncio.Task[ChildProcess]:
        starting = ChildProcess.start(self._memory_bytes, self._embedding_model)
        return asyncio.create_task(starting, name="parser-child")

    def _replace(self, place: asyncio.Task[ChildProcess]) -> asyncio.Task[ChildProcess]:
        ending = asyncio.create_task(_end_child(place), name="parser-child-end")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return self._start()

    async def _end(self, places: list[asyncio.Task[ChildProcess]]) -> None:
        await asyncio.gather(*map(_end_child, places))


class _Patience:
    """The time that a document still has. What its reader spends on telling others doesn't count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    async def wait_for(self, awaitable: Awaitable[frames.Answer]) -> frames.Answer:
        """Wait as long as there is time; raises DocumentFailed."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await asyncio.wait_for(awaitable, self._left)
        except TimeoutError:
            raise DocumentFailed(
                FailureCode.PARSE_TIMEOUT, "Parsing the document took more time than is allowed."
            ) from None
        finally:
            self._left -= clock() - began


async def _converse(
    child: ChildProcess, task: frames.Task, on_progress: OnProgress, patience: _Patience
) -> tuple[frames.Parsed | frames.Failed, list[Chunk]]:
    await child.give(task)
    chunks: list[Chunk] = []
    while True:
        match await patience.wait_for(child.answer()):
            case frames.Progress(pages_done=pages_done, page_count=page_count):
                await on_progress(pages_done, page_count)
            case frames.Chunks(chunks=more):
                chunks += more
            case frames.Parsed() | frames.Failed() as last:
                return last, chunks


def _is_suspect(answer: frames.Parsed | frames.Failed) -> bool:
    """Whether a child may not be what it was: it ran out of memory, or into a bug."""
    return isinstance(answer, frames.Failed) and answer.code in {
        FailureCode.PARSE_MEMORY,
        FailureCode.INTERNAL,
    }


def _document(answer: frames.Parsed | frames.Failed, chunks: list[Chunk]) -> ParsedDocument:
    if isinstance(answer, frames.Failed):
        if answer.detail:
            log.error("parser_child_bug", detail=answer.detail)
        raise DocumentFailed(answer.code, answer.message)
    return ParsedDocument(
        chunks=tuple(chunks),
        page_count=answer.page_count,
        token_count=sum(chunk.token_count for chunk in chunks),
        pages_failed=answer.pages_failed,
        metadata=answer.metadata,
    )


def _failure(died: ChildDied) -> DocumentFailed:
    if died.of_memory:
        return DocumentFailed(
            FailureCode.PARSE_MEMORY, "Parsing the document took more memory than is allowed."
        )
    return DocumentFailed(FailureCode.PARSER_CRASHED, "The document made the parser crash.")


async def _end_child(place: asyncio.Task[ChildProcess]) -> None:
    if not place.done():
        place.cancel()
    try:
        child = await place
    except (asyncio.CancelledError, ChildDied):
        return
    await child.kill()
