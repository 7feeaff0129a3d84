"""``GET /api/v1/events``: the live stream."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from contracts.statuses import Status
from services.api.access.caller import AnyCaller
from services.api.openapi import EVENT_STREAM
from services.api.routes.dependencies import EngineDep, HubDep
from services.api.stream.filters import Filter, View
from services.api.stream.response import EventStreamResponse
from services.api.stream.snapshot import read_snapshot
from services.api.stream.stream_request import StreamRequest

router = APIRouter(prefix="/api/v1", tags=["events"])


@router.get("/events", response_class=Response, responses=EVENT_STREAM)
async def events(
    request: Request,
    who: AnyCaller,
    hub: HubDep,
    engine: EngineDep,
    document_id: Annotated[list[str] | None, Query(alias="documentId")] = None,
    status: Annotated[list[Status] | None, Query()] = None,
    file_type: Annotated[list[str] | None, Query(alias="fileType")] = None,
    source: Annotated[list[str] | None, Query()] = None,
    snapshot: bool = False,
    progress: Annotated[
        Literal["newest", "all"],
        Query(
            description="What a client that lags gets of `parsing` and `embedding`: the newest of each document,"
            " or with `all` every step. All other events always come."
        ),
    ] = "newest",
    last_event_id: Annotated[str | None, Header()] = None,
    query_last_event_id: Annotated[str | None, Query(alias="lastEventId")] = None,
) -> EventStreamResponse:
    """The live stream of status events, as Server-Sent Events."""
    view = View(who, _filter(document_id, status, file_type, source), every_step=progress == "all")
    hub.admit(view)
    resumed = last_event_id or query_last_event_id or _polyfill_id(request)
    # The database answers before the response begins: when it is away the caller gets a problem, not a torn stream.
    newest: Sequence[bytes] = ()
    if snapshot and not resumed:
        newest, position = await read_snapshot(engine, view)
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
