"""``GET /api/v1/events``: the live stream."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from contracts.statuses import Status
from services.api.access import AnyCaller
from services.api.events.filters import Filter, View
from services.api.events.stream import ClientStream, Wish
from services.api.parts import parts_of

SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

router = APIRouter(prefix="/api/v1", tags=["events"])


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


def _resume_id(request: Request, last_event_id: str | None) -> str | None:
    # The names that EventSource polyfills use where a header can't be set.
    query: Any = request.query_params
    return last_event_id or query.get("last_event_id") or query.get("evs_last_event_id")
