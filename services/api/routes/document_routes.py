"""``/api/v1/documents`` and ``/api/v1/search``."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.lanes import Priority
from contracts.wire import MAX_INTEGER
from services.api.access.caller import AnyCaller
from services.api.archive.document_events import EventPage, list_events
from services.api.archive.partitions import MAX_PLACE
from services.api.documents.catalog import ListRequest, list_chunks, list_documents, read_document
from services.api.documents.original import original_response, read_original
from services.api.documents.uploads import DocumentBusy
from services.api.documents.views import ChunkPage, DocumentPage, DocumentView, DocumentWithPosition
from services.api.openapi import FILE_BODY, ORIGINAL
from services.api.refusals import Conflict
from services.api.routes.dependencies import (
    CancellationDep,
    DeletionDep,
    EngineDep,
    FileDep,
    ObjectsDep,
    OutlookDep,
    ProjectorDep,
    QueryEmbedderDep,
    UploadsDep,
)
from services.api.search.search import SearchRequest, SearchResult, search

router = APIRouter(prefix="/api/v1", tags=["documents"])

_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "model": DocumentView,
        "description": "The same bytes by the same owner: the document that there is.",
    }
}


@router.post(
    "/documents", status_code=202, response_model=DocumentView, responses=_ANSWERS, openapi_extra=FILE_BODY
)
async def upload(
    response: Response,
    who: AnyCaller,
    file: FileDep,
    uploads: UploadsDep,
    projector: ProjectorDep,
    engine: EngineDep,
    force: bool = False,
    priority: Priority | None = None,
) -> DocumentView:
    """Upload a document (multipart, field ``file``); with ``priority=bulk`` behind what people wait for."""
    document_id, document = await uploads.accept(file, who, priority or Priority.NORMAL)
    response.headers["Location"] = f"/api/v1/documents/{document_id}"
    if document is not None:
        return document
    await projector.catch_up()
    document = await read_document(engine, who, document_id)
    if force:
        await uploads.begin_again(document_id, _ended_attempt(document), priority)
        return await read_document(engine, who, document_id)
    response.status_code = 200
    return document


@router.get("/documents")
async def documents(
    who: AnyCaller,
    projector: ProjectorDep,
    engine: EngineDep,
    outlook: OutlookDep,
    wanted: Annotated[ListRequest, Query()],
) -> DocumentPage:
    """The documents that the filter chooses, the newest first unless ``sort`` says otherwise."""
    await projector.catch_up()
    page = await list_documents(engine, who, wanted)
    return page.model_copy(update={"items": await outlook.complete(*page.items)})


@router.get("/documents/{document_id}")
async def document(
    who: AnyCaller, projector: ProjectorDep, engine: EngineDep, outlook: OutlookDep, document_id: str
) -> DocumentWithPosition:
    """One document."""
    await projector.catch_up()
    [found] = await outlook.complete(await read_document(engine, who, document_id))
    return found


@router.get("/documents/{document_id}/chunks")
async def chunks(
    who: AnyCaller,
    engine: EngineDep,
    document_id: str,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=0, le=MAX_INTEGER)] | None = None,
) -> ChunkPage:
    """The chunks of a document, in order."""
    after = -1 if cursor is None else cursor
    return await list_chunks(engine, who, document_id, limit=limit, after=after)


@router.get("/documents/{document_id}/content", response_class=Response, responses=ORIGINAL)
async def content(
    who: AnyCaller, request: Request, engine: EngineDep, objects: ObjectsDep, document_id: str
) -> Response:
    """The bytes as they were uploaded, whole or a range of them."""
    original = await read_original(engine, who, document_id)
    return await original_response(objects, original, request.headers)


@router.get("/documents/{document_id}/events")
async def document_events(
    who: AnyCaller,
    projector: ProjectorDep,
    engine: EngineDep,
    document_id: str,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=0, le=MAX_PLACE)] | None = None,
) -> EventPage:
    """The status events of a document as the log keeps them, oldest first."""
    await projector.catch_up()
    after = -1 if cursor is None else cursor
    return await list_events(engine, who, document_id, limit=limit, after=after)


@router.post("/documents/{document_id}/retry", status_code=202)
async def retry(
    who: AnyCaller, uploads: UploadsDep, projector: ProjectorDep, engine: EngineDep, document_id: str
) -> DocumentWithPosition:
    """Process a document again."""
    await projector.catch_up()
    found = await read_document(engine, who, document_id)
    if found.sha256 is None:
        raise Conflict("Only its producer can process this document again.")
    await uploads.begin_again(document_id, _ended_attempt(found))
    return await read_document(engine, who, document_id)


@router.post("/documents/{document_id}/cancel", status_code=202)
async def cancel(
    who: AnyCaller,
    cancellation: CancellationDep,
    projector: ProjectorDep,
    engine: EngineDep,
    document_id: str,
) -> DocumentWithPosition:
    """Stop processing a document: it ends as ``failed`` with ``cancelled``, and can be retried."""
    await projector.catch_up()
    found = await read_document(engine, who, document_id)
    if found.sha256 is None:
        raise Conflict("Only its producer can end this document.")
    await cancellation.cancel(document_id)
    return await read_document(engine, who, document_id)


@router.delete("/documents/{document_id}", status_code=204)
async def delete(
    who: AnyCaller, deletion: DeletionDep, projector: ProjectorDep, document_id: str
) -> Response:
    """Delete a document and everything made from it; work under way for it stops within a second."""
    await projector.catch_up()
    await deletion.delete(who, document_id)
    return Response(status_code=204)


@router.post("/search")
async def find(
    who: AnyCaller, embedder: QueryEmbedderDep, engine: EngineDep, wanted: SearchRequest
) -> SearchResult:
    """Find the chunks that fit a query best, by its meaning and by its words."""
    embedding = embedder.embed(wanted.query) if wanted.needs_vector else None
    return await search(engine, who, wanted, embedding)


def _ended_attempt(document: DocumentView) -> int:
    if document.is_under_way:
        raise DocumentBusy
    return document.attempt
