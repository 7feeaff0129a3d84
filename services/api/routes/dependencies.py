"""Parts of the process that routes ask for in their signatures, by which one sees what a route works with."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access.caller import Access
from services.api.documents.cancellation import Cancellation
from services.api.documents.deletion import Deletion
from services.api.documents.multipart import IncomingFile
from services.api.documents.uploads import Uploads
from services.api.http.rates import Rates
from services.api.operations.bulk_calls import BulkCalls
from services.api.parts import Parts
from services.api.pipeline.outlook import Outlook
from services.api.pipeline.overview import PipelineOverview
from services.api.projection.projector import Projector
from services.api.recovery.dead_letters import DeadLetterQueues
from services.api.search.query_embedder import QueryEmbedder
from services.api.stream.hub import Hub
from services.api.webhook.producers import Producers
from services.api.webhook.reports import Webhook
from services.runtime.object_store import ObjectStore


def _provided(choose: Callable[[Parts], object]) -> Any:
    async def part(request: Request) -> object:  # not a plain function, which FastAPI runs in a thread
        return choose(request.app.state.parts)

    return Depends(part)


async def _incoming_file(request: Request) -> IncomingFile:
    parts: Parts = request.app.state.parts
    return IncomingFile(request, parts.settings.max_upload_bytes)


AccessDep = Annotated[Access, _provided(lambda parts: parts.access)]
BulkCallsDep = Annotated[BulkCalls, _provided(lambda parts: BulkCalls(parts.engine, parts.disk))]
CancellationDep = Annotated[Cancellation, _provided(lambda parts: parts.cancellation)]
DeadLettersDep = Annotated[DeadLetterQueues, _provided(lambda parts: parts.dead_letters)]
DeletionDep = Annotated[Deletion, _provided(lambda parts: parts.deletion)]
EngineDep = Annotated[AsyncEngine, _provided(lambda parts: parts.engine)]
FileDep = Annotated[IncomingFile, Depends(_incoming_file)]
HubDep = Annotated[Hub, _provided(lambda parts: parts.hub)]
ObjectsDep = Annotated[ObjectStore, _provided(lambda parts: parts.objects)]
OutlookDep = Annotated[Outlook, _provided(lambda parts: parts.outlook)]
PipelineDep = Annotated[PipelineOverview, _provided(lambda parts: parts.pipeline)]
ProducersDep = Annotated[Producers, _provided(lambda parts: parts.producers)]
ProjectorDep = Annotated[Projector, _provided(lambda parts: parts.projector)]
QueryEmbedderDep = Annotated[QueryEmbedder, _provided(lambda parts: parts.query_embedder)]
RatesDep = Annotated[Rates, _provided(lambda parts: parts.rates)]
UploadsDep = Annotated[Uploads, _provided(lambda parts: parts.uploads)]
WebhookDep = Annotated[Webhook, _provided(lambda parts: parts.webhook)]
