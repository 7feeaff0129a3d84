"""The parts of the API's process."""

from dataclasses import dataclass

from faststream.rabbit import RabbitBroker
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access.caller import Access
from services.api.api_settings import ApiSettings
from services.api.documents.cancellation import Cancellation
from services.api.documents.deletion import Deletion
from services.api.documents.uploads import Uploads
from services.api.http.rates import Rates
from services.api.log.event_log import EventLog
from services.api.pipeline.outlook import Outlook
from services.api.pipeline.overview import PipelineOverview
from services.api.pipeline.pace_meter import PaceMeter
from services.api.projection.projector import Projector
from services.api.recovery.dead_letters import DeadLetterQueues
from services.api.recovery.turns import Turns
from services.api.search.query_embedder import QueryEmbedder
from services.api.stream.hub import Hub
from services.api.webhook.producers import Producers
from services.api.webhook.reports import Webhook
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.messaging.broker_watch import BrokerWatch
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.runtime.process.disk_reserve import DiskReserve


@dataclass(frozen=True)
class Parts:
    """Wired once, by ``services.api.app``."""

    settings: ApiSettings
    database_url: str
    engine: AsyncEngine
    broker: RabbitBroker
    publisher: Publisher
    reporter: StatusReporter
    event_log: EventLog
    hub: Hub
    projector: Projector
    objects: ObjectStore
    uploads: Uploads
    turns: Turns
    cancellation: Cancellation
    deletion: Deletion
    webhook: Webhook
    query_embedder: QueryEmbedder
    access: Access
    producers: Producers
    rates: Rates
    watch: BrokerWatch
    disk: DiskReserve
    dead_letters: DeadLetterQueues
    pipeline: PipelineOverview
    pace_meter: PaceMeter
    outlook: Outlook
