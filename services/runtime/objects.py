"""The object store: one object per document, ``documents/<document id>``, on a disk or in a bucket."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

PART_BYTES = 5 * 1024 * 1024
"""S3 takes no part of an upload under 5 MiB."""


class Objects:
    """Documents' bytes. Methods raise ``obstore.exceptions.BaseError`` when the store is away."""

    def __init__(self, url: str) -> None:
        self._store = _open(url)

    async def put(self, document_id: str, body: AsyncIterator[bytes]) -> None:
        """Write an object as its bytes arrive; it appears whole or, when ``body`` raises, not at all."""
        await obstore.put_async(
            self._store, _key(document_id), body, chunk_size=PART_BYTES, use_multipart=True
        )

    @asynccontextmanager
    async def local_copy(self, document_id: str) -> AsyncIterator[Path]:
        """A path under which this process and its children can read an object.

        The file has no name of its own, so that not even SIGKILL leaves it behind. Raises FileNotFoundError
        when there is no such object.
        """
        answer = await obstore.get_async(self._store, _key(document_id))
        with TemporaryFile(prefix="stagecast-") as file:
            async for part in answer.stream(PART_BYTES):
                file.write(part)
            file.flush()
            yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")

    async def delete(self, document_id: str) -> None:
        """Remove an object; nothing happens where there is none."""
        try:
            await obstore.delete_async(self._store, _key(document_id))
        except FileNotFoundError:
            return


def _key(document_id: str) -> str:
    return f"documents/{document_id}"


def _open(url: str) -> ObjectStore:
    if url.startswith("file://"):
        return LocalStore(unquote(urlsplit(url).path), mkdir=True, automatic_cleanup=False)
    return from_url(url)
