"""The original of a document, as it was uploaded; in ranges where they are asked for (RFC 9110, section 14).

It is a stranger's file. It is offered for saving alone, and where a browser shows it all the same, nothing in it
may run: no script, no form, no origin of ours.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access.caller import Caller
from services.api.documents.catalog import NoSuchDocument
from services.api.http.byte_ranges import (
    ByteRange,
    content_range,
    is_unmodified,
    part_heads,
    wanted_ranges,
)
from services.api.refusals import NotFound
from services.runtime.database.tables import IS_ALIVE, documents
from services.runtime.media_types import MARKDOWN, PDF, PLAIN, UNKNOWN
from services.runtime.object_store import ObjectStore

_INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}
_HARMLESS = frozenset({PDF, PLAIN, MARKDOWN})


class NoOriginal(NotFound):
    """A producer reported the document, and its bytes were never here."""

    detail = "This document's file was never here: an external producer reported it."


class OriginalGone(NotFound):
    """The object store has lost the bytes, or they are deleted just now."""

    detail = "This document's file is gone."


@dataclass(frozen=True)
class Original:
    """What is known of the bytes; ``size`` counts them."""

    document_id: str
    filename: str | None
    file_type: str
    size: int
    sha256: str

    @property
    def told_type(self) -> str:
        """The media type, where a browser makes no page of it; its charset is not known."""
        return self.file_type if self.file_type in _HARMLESS else UNKNOWN

    @property
    def etag(self) -> str:
        """Strong: the same bytes have the same."""
        return f'"{self.sha256}"'


async def read_original(engine: AsyncEngine, caller: Caller, document_id: str) -> Original:
    """Return what is known of a document's bytes; raises NoSuchDocument, NoOriginal."""
    names = ("document_id", "filename", "file_type", "size", "sha256")
    query = select(*(documents.c[name] for name in names)).where(
        documents.c.document_id == document_id, IS_ALIVE, caller.visible()
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NoSuchDocument
    if row.sha256 is None:
        raise NoOriginal
    return Original(**row._mapping)


async def original_response(objects: ObjectStore, original: Original, asked: Mapping[str, str]) -> Response:
    """Answer with the bytes, ranges of them, or that the caller has them; ``asked`` are the request's headers.

    Nothing is read but what is sent, and that as it is sent. Raises OriginalGone, RangeNotSatisfiable.
    """
    headers = _INERT | {
        "ETag": original.etag,
        "Content-Disposition": _disposition(original.filename or original.document_id),
    }
    if is_unmodified(asked, original.etag):
        return Response(status_code=304, headers=headers)
    ranges = wanted_ranges(asked, original.etag, original.size)
    if len(ranges) > 1:
        return await _parts(objects, original, ranges, headers)
    start, end = ranges[0] if ranges else (0, original.size)
    headers |= {"Content-Length": str(end - start), "Content-Type": original.told_type}
    if ranges:
        headers["Content-Range"] = content_range((start, end), original.size)
    pieces = await _opened(objects, original, (start, end))
    return StreamingResponse(pieces, 206 if ranges else 200, headers)


async def _parts(
    objects: ObjectStore, original: Original, ranges: Sequence[ByteRange], headers: dict[str, str]
) -> Response:
    boundary = token_hex(16)
    heads = part_heads(ranges, original.size, original.told_type, boundary)
    first = await _opened(objects, original, ranges[0])  # before the answer begins, which can't be taken back

    async def body() -> AsyncIterator[bytes]:
        for number, one in enumerate(ranges):
            yield heads[number]
            async for piece in await _opened(objects, original, one) if number else first:
                yield piece
        yield heads[-1]

    length = sum(map(len, heads)) + sum(end - start for start, end in ranges)
    headers |= {
        "Content-Length": str(length),
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
    }
    return StreamingResponse(body(), 206, headers)


async def _opened(objects: ObjectStore, original: Original, one: ByteRange) -> AsyncIterator[bytes]:
    try:
        return await objects.stream(original.document_id, *one)
    except FileNotFoundError as error:
        raise OriginalGone from error


def _disposition(filename: str) -> str:
    """Return a name for saving (RFC 6266), and one without what older clients don't read."""
    plain = re.sub(r"[^ !#-\[\]-~]|[/%]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
