"""``/api/v1/documents/cancel``, ``/retry`` and ``/delete``, and ``/api/v1/operations``."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict

from contracts.document_calls import OperationKind
from contracts.wire import WireModel
from services.api.access.caller import AnyCaller
from services.api.documents.document_filter import StrictDocumentFilter
from services.api.operations.operation import OperationView
from services.api.routes.dependencies import BulkCallsDep, ProjectorDep

router = APIRouter(prefix="/api/v1", tags=["operations"])

_SENTENCES = {
    OperationKind.CANCEL: "Cancel all documents under way that a filter chooses, in the background.",
    OperationKind.RETRY: "Process again all documents that a filter chooses and that have ended, a few at a time.",
    OperationKind.DELETE: "Delete all documents that a filter chooses, in the background.",
}


class BulkRequest(WireModel):
    """Which documents are meant."""

    model_config = ConfigDict(extra="forbid")

    filter: StrictDocumentFilter


class Matched(WireModel):
    """How many documents are meant; without ``operationId`` nothing was begun."""

    operation_id: str | None = None
    matched: int


DryRun = Annotated[bool, Query(alias="dryRun", description="Count what is meant, and do nothing.")]


def _bulk_call(kind: OperationKind) -> Callable[..., Awaitable[Matched]]:
    async def call(
        who: AnyCaller,
        calls: BulkCallsDep,
        projector: ProjectorDep,
        wanted: BulkRequest,
        response: Response,
        dry_run: DryRun = False,
    ) -> Matched:
        await projector.catch_up()
        if dry_run:
            response.status_code = 200
            return Matched(matched=await calls.count(who, kind, wanted.filter))
        operation_id, matched = await calls.begin(who, kind, wanted.filter)
        response.headers["Location"] = f"/api/v1/operations/{operation_id}"
        return Matched(operation_id=operation_id, matched=matched)

    return call


for _kind in OperationKind:
    router.add_api_route(
        f"/documents/{_kind}",
        _bulk_call(_kind),
        methods=["POST"],
        name=f"{_kind}_documents",
        summary=_SENTENCES[_kind],
        status_code=202,
        response_model=Matched,
        response_model_exclude_none=True,
        responses={200: {"model": Matched, "description": "With `dryRun=true`: what would be meant."}},
    )


@router.get("/operations/{operation_id}")
async def operation(who: AnyCaller, calls: BulkCallsDep, operation_id: str) -> OperationView:
    """How far a bulk call has come."""
    return await calls.read(who, operation_id)
