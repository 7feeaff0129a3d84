"""The routes under ``/api/v1``: decode, call, answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from contracts.statuses import Status
from services.api.access import AnyCaller
from services.api.catalog import list_chunks, list_documents, read_document
from services.api.events.filters import Filter, View
from services.api.events.stream import ClientStream, Wish
from services.api.multipart import IncomingFile
from services.api.parts import Parts
from services.api.problems import Problem
from services.api.search import SearchRequest, SearchResult, search
from services.api.views import ChunkPage, DocumentPage, DocumentView, DocumentWithPosition
from services.api.webhook import MAX_BODY_BYTES, Accepted, authenticate, decode_report

SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

router = APIRouter(prefix="/api/v1")


def parts_of(request: Request) -> Parts:
    """What the process was wired from."""
    parts: Parts = request.app.state.parts
    return parts


@router.post("/documents", status_code=202, response_model=DocumentView)
async def upload(request: Request, response: Response, who: AnyCaller, force: bool = False) -> DocumentView:
    """Upload a document (multipart, field ``file``)."""
    parts = parts_of(request)
    file = IncomingFile(request, parts.settings.max_upload_bytes)
    document_id, is_new = await parts.uploads.accept(file, who)
    document = await read_document(parts.engine, who, document_id)
    if force and not is_new:
        await parts.uploads.begin_again(document_id, _ended_attempt(document))
        document = await read_document(parts.engine, who, document_id)
    response.headers["Location"] = f"/api/v1/documents/{document_id}"
    response.status_code = 202 if is_new or force else 200
    return document


@router.get("/documents")
async def documents(
    request: Request,
    who: AnyCaller,
    status: Annotated[list[Status] | None, Query()] = None,
    file_type: Annotated[list[str] | None, Query(alias="fileType")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> DocumentPage:
    """The newest documents first."""
    return await list_documents(
        parts_of(request).engine,
        who,
        statuses=status or (),
        file_types=file_type or (),
        limit=limit,
        cursor=cursor,
    )


@router.get("/documents/{document_id}")
async def document(request: Request, who: AnyCaller, document_id: str) -> DocumentWithPosition:
    """One document."""
    return await read_document(parts_of(request).engine, who, document_id)


@router.get("/documents/{document_id}/chunks")
async def chunks(
    request: Request,
    who: AnyCaller,
    document_id: str,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=0)] | None = None,
) -> ChunkPage:
    """The chunks of a document, in order."""
    after = -1 if cursor is None else cursor
    return await list_chunks(parts_of(request).engine, who, document_id, limit=limit, after=after)


@router.post("/documents/{document_id}/retry", status_code=202)
async def retry(request: Request, who: AnyCaller, document_id: str) -> DocumentWithPosition:
    """Process a document again."""
    parts = parts_of(request)
    found = await read_document(parts.engine, who, document_id)
    if found.sha256 is None:
        raise Problem(409, "Only its producer can process this document again.")
    await parts.uploads.begin_again(document_id, _ended_attempt(found))
    return await read_document(parts.engine, who, document_id)


@router.delete("/documents/{document_id}", status_code=204)
async def delete(request: Request, who: AnyCaller, document_id: str) -> Response:
    """Delete a document and everything made from it; work under way for it stops at its next step."""
    await parts_of(request).deletion.delete(who, document_id)
    return Response(status_code=204)


@router.post("/search")
async def find(request: Request, who: AnyCaller, wanted: SearchRequest) -> SearchResult:
    """Find the chunks nearest to a query."""
    parts = parts_of(request)
    query = await parts.query_embedder.embed(wanted.query)
    return await search(parts.engine, who, wanted, query)


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request,
    who: AnyCaller,
    document_id: Annotated[list[str] | None, Query(alias="documentId")] = None,
    status: Annotated[list[Status] | None, Query()] = None,
    file_type: Annotated[list[str] | None, Query(alias="fileType")] = None,
    source: Annotated[list[str] | None, Query()] = None,
    snapshot: bool = False,
    last_event_id: Annotated[str | None, Header()] = None,
    query_last_event_id: Annotated[str | None, Query(alias="lastEventId")] = None,
) -> StreamingResponse:
    """The live stream of status events, as Server-Sent Events."""
    parts = parts_of(request)
    wanted = Filter(
        document_ids=frozenset(document_id or ()),
        statuses=frozenset(one.value for one in status or ()),
        file_types=frozenset(file_type or ()),
        sources=frozenset(source or ()),
    )
    wish = Wish(View(who, wanted), last_event_id or _resume_id(request, query_last_event_id), snapshot)
    stream = ClientStream(parts.event_log, parts.engine, wish, parts.settings.heartbeat_seconds)
    return StreamingResponse(stream.frames(), headers=SSE_HEADERS)


@router.post("/events/webhook/document-processing", status_code=202)
async def webhook(
    request: Request,
    x_webhook_key: Annotated[str | None, Header()] = None,
    webhook_id: Annotated[str | None, Header(max_length=256)] = None,
) -> Accepted:
    """Take a status event of an external producer."""
    parts = parts_of(request)
    producer = authenticate(x_webhook_key, parts.settings.producer_keys)
    report = decode_report(request.headers.get("content-type", ""), await _bounded_body(request))
    return await parts.webhook.accept(producer, report, webhook_id)


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            break  # decode_report refuses it
    return bytes(body)


def _resume_id(request: Request, last_event_id: str | None) -> str | None:
    # The names that EventSource polyfills use where a header can't be set.
    query: Any = request.query_params
    return last_event_id or query.get("last_event_id") or query.get("evs_last_event_id")


def _ended_attempt(document: DocumentView) -> int:
    if document.is_under_way:
        raise Problem(409, "The document is being processed.")
    return document.attempt
