"""The object store: one object per document, ``documents/<document id>``, on a disk or in a bucket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Backend

from services.runtime.errors import Unavailable

if TYPE_CHECKING:  # the package has it for type checkers alone
    from obstore import GetOptions, GetResult

FOLDER = "documents"
PART_MARK = "#"
"""A local store puts it behind the name of an object while that arrives."""
SENT_BYTES = 256 * 1024
PART_BYTES = 5 * 1024 * 1024
"""S3 takes no part of an upload under 5 MiB."""


class ObjectStore:
    """Documents' bytes. Methods raise ``obstore.exceptions.BaseError`` or Unavailable when the store is away."""

    def __init__(self, url: str) -> None:
        self._store = _open(url)
        self._directory = (
            Path(self._store.prefix or "/", FOLDER) if isinstance(self._store, LocalStore) else None
        )
        if self._directory is not None:
            with suppress(OSError):  # of a file system that is read-only: what asks for the directory says so
                self._directory.mkdir(exist_ok=True)

    async def put(self, document_id: str, body: AsyncIterator[bytes]) -> None:
        """Write an object as its bytes arrive; it appears whole or, when ``body`` raises, not at all."""
        self._require_directory()
        await obstore.put_async(
            self._store, _key(document_id), body, chunk_size=PART_BYTES, use_multipart=True
        )

    @asynccontextmanager
    async def local_copy(self, document_id: str) -> AsyncIterator[Path]:
        """Yield a path under which this process and its children can read an object.

        A copy has no name of its own, so that not even SIGKILL leaves it behind. Raises FileNotFoundError
        when there is no such object, Unavailable when none is there because their disk is gone.
        """
        self._require_directory()
        with await self._open(document_id) as file:
            yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")

    async def stream(self, document_id: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Open an object, and return its bytes from ``start`` up to ``end``, piece by piece.

        Raises FileNotFoundError when there is no such object.
        """
        self._require_directory()
        part: GetOptions | None = {"range": (start, end)} if end > start else None
        answer = await obstore.get_async(self._store, _key(document_id), options=part)
        return _pieces(answer, end - start)

    async def _open(self, document_id: str) -> IO[bytes]:
        if self._directory is not None:
            # The object itself, open: what is deleted meanwhile can be read to its end all the same.
            return (self._directory / document_id).open("rb")
        answer = await obstore.get_async(self._store, _key(document_id))
        file = TemporaryFile(prefix="stagecast-")  # noqa: SIM115 - whoever opened it closes it
        async for part in answer.stream(PART_BYTES):
            file.write(part)
        file.flush()
        return file

    async def delete(self, document_id: str) -> None:
        """Remove an object, and what an upload of it that was killed has left; nothing where there is none."""
        self._require_directory()
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, _key(document_id))
        for part in await self._parts(document_id):
            part.unlink(missing_ok=True)

    async def ids(self) -> AsyncIterator[str]:
        """Yield the ids of documents that have an object, or a part of one."""
        async for page in obstore.list(self._store, prefix=FOLDER):
            for found in page:
                yield found["path"].removeprefix(f"{FOLDER}/")
        for part in await self._parts("*"):
            yield part.name.partition(PART_MARK)[0]

    def _require_directory(self) -> None:
        """Raise Unavailable where the directory is gone, as that of a disk which is not mounted.

        What was written in its place would be lost behind the disk when that comes back, what was looked for there
        taken for missing, and what was to be deleted would stay.
        """
        if self._directory is not None and not self._directory.is_dir():
            raise Unavailable("object store", f"{self._directory} is gone")

    async def _parts(self, document_id: str) -> list[Path]:
        if self._directory is None:
            return []
        # It looks through all names: 100 ms for 100,000 documents, which every open stream would wait for.
        return list(await asyncio.to_thread(self._directory.glob, f"{document_id}{PART_MARK}*"))


async def _pieces(answer: "GetResult", size: int) -> AsyncIterator[bytes]:
    if size > 0:
        async for piece in answer.stream(SENT_BYTES):
            yield bytes(piece)


def _key(document_id: str) -> str:
    return f"{FOLDER}/{document_id}"


def _open(url: str) -> Backend:
    if url.startswith("file://"):
        return LocalStore(unquote(urlsplit(url).path), mkdir=True, automatic_cleanup=False)
    return from_url(url)
