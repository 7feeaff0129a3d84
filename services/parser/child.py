"""A child of the sandbox: parses one file after another, and is killed when one misbehaves.

Run as ``python -m services.parser.child CONFINEMENT``; tasks come on stdin, answers go to stdout.
"""

import gc
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import BinaryIO

from contracts.failures import DocumentFailed, FailureCode
from services.lifecycle.chunk import Chunk
from services.parser import ipc
from services.parser.chunking.chunker import Chunker
from services.parser.chunking.context import own_title, title_of
from services.parser.confinement import confine, die_with
from services.parser.formats import read
from services.parser.formats.reading import Reading, empty
from services.parser.formats.swallowed_errors import SwallowedErrors
from services.parser.limits.allowance import Allowance
from services.parser.tokenizer import ModelTokenizer

_STEP_SECONDS = 0.5


def main() -> None:
    """Confine this process, then work until stdin ends."""
    confinement = ipc.Confinement.model_validate_json(sys.argv[1])
    die_with(confinement.parent)
    tasks, answers = _take_pipes()
    # pypdf has a word on every irregularity, and hostile files have millions.
    logging.disable(logging.CRITICAL)
    chunker = Chunker(ModelTokenizer.load(confinement.embedding_model))
    gc.freeze()
    os.nice(confinement.niceness)
    confine(confinement.memory_bytes)
    answers.write(ipc.encode(ipc.Ready()))
    while task := ipc.read_task(tasks):
        _Work(task, chunker, answers).run()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for frames; what a library prints goes to stderr."""
    tasks = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return tasks, answers


class _Work:
    """One task."""

    def __init__(self, task: ipc.Task, chunker: Chunker, answers: BinaryIO) -> None:
        self._task = task
        self._chunker = chunker
        self._answers = answers
        self._quiet_until = 0.0
        self._swallowed = SwallowedErrors()

    def run(self) -> None:
        """Parse, and answer with the document or with why there is none."""
        answer = self._try()
        # Answered here, when what the failed attempt held is free again.
        self._send(answer.model_copy(update={"swallowed": self._swallowed.summary()}))

    def _try(self) -> ipc.Parsed | ipc.Failed:
        try:
            return self._parse()
        except DocumentFailed as failure:
            detail = _traceback() if failure.code is FailureCode.INTERNAL else ""
            return ipc.Failed(code=failure.code, message=failure.message, detail=detail)
        except MemoryError:
            return ipc.OUT_OF_MEMORY
        except Exception:
            message = "The parser failed on the document."
            return ipc.Failed(code=FailureCode.INTERNAL, message=message, detail=_traceback())

    def _parse(self) -> ipc.Parsed:
        content = read(Path(self._task.path), self._task.media_type, self._reading())
        title = title_of(content, self._task.filename)
        chunks = self._chunker.chunks(content.blocks, title, self._get_on)
        if not chunks:
            raise empty()
        self._send_chunks(chunks)
        called = own_title(content)
        return ipc.Parsed(
            page_count=content.page_count,
            pages_failed=content.pages_failed,
            pages_garbled=content.pages_garbled,
            metadata={**content.metadata, "title": called} if called else content.metadata,
        )

    def _reading(self) -> Reading:
        task = self._task
        allowance = Allowance(task.stand_in_seconds, in_all=task.is_careful)
        return Reading(
            task.pdf_engine,
            self._report,
            self._get_on,
            self._swallowed,
            allowance,
            task.avoided_page,
            task.last_page,
        )

    def _send_chunks(self, chunks: tuple[Chunk, ...]) -> None:
        for start in range(0, len(chunks), ipc.CHUNKS_PER_FRAME):
            self._send(ipc.Chunks(chunks=list(chunks[start : start + ipc.CHUNKS_PER_FRAME])))

    def _report(self, pages_done: int, page_count: int) -> None:
        # Every page, since the last one is what a crash is known by.
        self._send(ipc.Progress(pages_done=pages_done, page_count=page_count))

    def _get_on(self) -> None:
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _STEP_SECONDS
            self._send(ipc.Step())

    def _send(self, frame: ipc.Answer) -> None:
        rest = memoryview(ipc.encode(frame))
        while rest:
            rest = rest[self._answers.write(rest) :]


def _traceback() -> str:
    return traceback.format_exc(limit=-20)


if __name__ == "__main__":
    main()
