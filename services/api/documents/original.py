"""The original of a document, as it was uploaded; in ranges where they are asked for (RFC 9110, section 14).

It is a stranger's file. It is offered for saving alone, and where a browser shows it all the same, nothing in it
may run: no script, no form, no origin of ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access.caller import Caller
from services.api.documents.catalog import NoSuchDocument
from services.api.refusals import NotFound, RangeNotSatisfiable
from services.runtime.database.tables import IS_ALIVE, documents
from services.runtime.object_store import ObjectStore

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}


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
    """Answer with the bytes, a range of them, or that the caller has them; ``asked`` are the request's headers.

    Raises OriginalGone, RangeNotSatisfiable.
    """
    headers = _INERT | {
        "ETag": original.etag,
        "Content-Disposition": _disposition(original.filename or original.document_id),
    }
    if _matches(asked.get("if-none-match"), original.etag):
        return Response(status_code=304, headers=headers)
    start, end, is_part = _wanted(original, asked)
    try:
        pieces = await objects.stream(original.document_id, start, end)
    except FileNotFoundError as error:
        raise OriginalGone from error
    headers["Content-Length"] = str(end - start)
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{original.size}"
    return StreamingResponse(pieces, 206 if is_part else 200, headers, media_type=original.file_type)


def _disposition(filename: str) -> str:
    """Return a name for saving (RFC 6266), and one without what older clients don't read."""
    plain = re.sub(r"[^ !#-\[\]-~]|[/%]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _matches(condition: str | None, etag: str) -> bool:
    if condition is None:
        return False
    return any(one.strip().removeprefix("W/") in {etag, "*"} for one in condition.split(","))


def _wanted(original: Original, asked: Mapping[str, str]) -> tuple[int, int, bool]:
    """Return start, end and whether that is a range. Of several, and of what is none, all is sent."""
    found = _RANGE.fullmatch(asked.get("range", "").strip())
    is_current = asked.get("if-range", original.etag) == original.etag
    if found is None or not any(found.groups()) or not is_current:
        return 0, original.size, False
    first, last = (int(number[:18]) if number else None for number in found.groups())
    if first is None:
        start, end = max(0, original.size - (last or 0)), original.size
    else:
        start, end = first, original.size if last is None else min(last + 1, original.size)
    if start >= original.size or (first is not None and last is not None and last < first):
        raise RangeNotSatisfiable(original.size)
    return start, end, True
