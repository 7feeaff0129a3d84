"""``GET /api/v1/events``: the live stream."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response

from contracts.statuses import Status
from services.api.access.caller import AnyCaller
from services.api.parts import Parts, parts_of
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
from services.api.stream.response import EventStreamResponse
from services.api.stream.snapshot import read_snapshot
from services.api.stream.stream_request import StreamLimits, StreamRequest


@asynccontextmanager
async def _hub_of_process(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    settings = parts.settings
    limits = StreamLimits(
        heartbeat_seconds=settings.heartbeat_seconds,
        lease_seconds=settings.event_lease_seconds,
        connections=settings.event_connections,
        connections_per_user=settings.event_connections_per_user,
    )
    app.state.event_hub = Hub(parts.event_log, limits)
    try:
        yield
    finally:
        # The signal has ended them already; under another server this is the first that is heard of it.
        await app.state.event_hub.drain()


router = APIRouter(prefix="/api/v1", tags=["events"], lifespan=_hub_of_process)


@router.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
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
) -> EventStreamResponse:
    """The live stream of status events, as Server-Sent Events."""
    hub: Hub = request.app.state.event_hub
    view = View(who, _filter(document_id, status, file_type, source))
    hub.admit(view)
    resumed = last_event_id or query_last_event_id or _polyfill_id(request)
    # The database answers before the response begins: when it is away the caller gets a problem, not a torn stream.
    newest: Sequence[bytes] = ()
    if snapshot and not resumed:
        newest, position = await read_snapshot(parts_of(request).engine, view)
        resumed = str(position)
        hub.admit(view)  # again: others may have come meanwhile, and from here on nothing is awaited
    ends = who.expires_at.timestamp() if who.expires_at else None
    return EventStreamResponse(hub, StreamRequest(view, resumed, ends, newest))


def _filter(
    document_id: list[str] | None,
    status: list[Status] | None,
    file_type: list[str] | None,
    source: list[str] | None,
) -> Filter:
    return Filter(
        document_ids=frozenset(document_id or ()),
        statuses=frozenset(one.value for one in status or ()),
        file_types=frozenset(file_type or ()),
        sources=frozenset(source or ()),
    )


def _polyfill_id(request: Request) -> str | None:
    # The names that EventSource polyfills use where a header can't be set.
    query = request.query_params
    return query.get("last_event_id") or query.get("evs_last_event_id")
