"""The parts of the API's process, and how they are put together."""

from dataclasses import dataclass
from functools import partial

from faststream.rabbit import RabbitBroker
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import topology
from services.api.access.caller import Access
from services.api.access.tickets import Tickets
from services.api.access.tokens import create_tokens
from services.api.api_settings import ApiSettings
from services.api.archive.archive_reader import ArchiveReader
from services.api.documents.admission import Admission
from services.api.documents.cancellation import Cancellation
from services.api.documents.deletion import Deletion
from services.api.documents.uploads import Uploads
from services.api.http.rates import Rates
from services.api.log.event_log import EventLog
from services.api.pipeline.outlook import Outlook
from services.api.pipeline.overview import PipelineOverview
from services.api.pipeline.pace_meter import PaceMeter
from services.api.projection.projector import Projector
from services.api.recovery.dead_letter_consumer import dead_letter_router
from services.api.recovery.dead_letters import DeadLetterQueues
from services.api.recovery.turns import Turns
from services.api.search.query_embedder import QueryEmbedder
from services.api.stream.hub import Hub
from services.api.stream.stream_request import StreamLimits
from services.api.webhook.producers import Producers
from services.api.webhook.receipts import Receipts
from services.api.webhook.reports import Webhook
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.database.engine import create_engine, required_database_url
from services.runtime.messaging.broker import create_broker
from services.runtime.messaging.broker_watch import BrokerWatch
from services.runtime.messaging.declare import declare_once
from services.runtime.messaging.publisher import Publisher
from services.runtime.object_store import ObjectStore
from services.runtime.process.disk_reserve import DiskReserve, disk_reserve

PATIENCE_SECONDS = 5.0
"""A request waits so long for the broker's confirm; then it is answered 503."""


@dataclass(frozen=True)
class Parts:
    """Wired once, by ``create_parts``."""

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


def create_parts(settings: ApiSettings) -> Parts:
    """Wire everything; no connection is opened here."""
    database_url = required_database_url(settings)
    engine = create_engine(database_url, pool_size=15)
    broker = create_broker(settings, "api")
    watch = BrokerWatch.of(settings.rabbitmq_url, topology.queues(), declare_once)
    publisher = _publisher(broker, watch)
    reporter, objects = StatusReporter(publisher, "api"), ObjectStore(settings.object_store_url)
    rates, disk = Rates(settings), disk_reserve(settings)
    event_log = EventLog(settings.rabbitmq_url)
    turns = Turns(engine, reporter, settings.shares, event_log)
    broker.include_router(dead_letter_router(engine, reporter))
    return Parts(
        settings=settings,
        database_url=database_url,
        engine=engine,
        broker=broker,
        publisher=publisher,
        reporter=reporter,
        event_log=event_log,
        hub=Hub(event_log, _stream_limits(settings), ArchiveReader(engine)),
        projector=Projector(engine, event_log),
        objects=objects,
        uploads=_uploads(settings, engine, objects, reporter, Admission(watch), disk),
        turns=turns,
        cancellation=Cancellation(engine, reporter),
        deletion=Deletion(engine, objects, publisher),
        webhook=Webhook(engine, publisher, Receipts(engine), disk),
        query_embedder=_query_embedder(settings, watch),
        access=Access(create_tokens(settings), Tickets(engine), rates, settings.allowed_origins),
        producers=Producers.of(settings),
        rates=rates,
        watch=watch,
        disk=disk,
        dead_letters=DeadLetterQueues(engine, settings.rabbitmq_url),
        pipeline=PipelineOverview(engine, watch.queues, event_log),
        pace_meter=PaceMeter(engine, event_log),
        outlook=Outlook(engine),
    )


def _publisher(broker: RabbitBroker, watch: BrokerWatch) -> Publisher:
    """Refuses an event at once while it would not reach the log."""
    refuse = partial(watch.require, topology.LOG)
    return Publisher(broker, patience_seconds=PATIENCE_SECONDS, refuse=refuse, lanes=watch.queues)


def _query_embedder(settings: ApiSettings, watch: BrokerWatch) -> QueryEmbedder:
    return QueryEmbedder(settings.rabbitmq_url, refuse=partial(watch.require, topology.QUERY))


def _stream_limits(settings: ApiSettings) -> StreamLimits:
    return StreamLimits(
        heartbeat_seconds=settings.heartbeat_seconds,
        lease_seconds=settings.event_lease_seconds,
        connections=settings.event_connections,
        connections_per_user=settings.event_connections_per_user,
    )


def _uploads(
    settings: ApiSettings,
    engine: AsyncEngine,
    objects: ObjectStore,
    reporter: StatusReporter,
    admission: Admission,
    disk: DiskReserve,
) -> Uploads:
    return Uploads(engine, objects, reporter, admission, disk, settings.upload_seconds, settings.shares)
