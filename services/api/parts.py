"""What the API's process is made of."""

from dataclasses import dataclass

from fastapi import Request
from faststream.rabbit import RabbitBroker
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access import Access
from services.api.admission import Admission
from services.api.deletion import Deletion
from services.api.events.log import EventLog
from services.api.graveyard import Graveyard
from services.api.producers import Producers
from services.api.projector import Projector
from services.api.query_embedder import QueryEmbedder
from services.api.rates import Rates
from services.api.uploads import Uploads
from services.api.webhook import Webhook
from services.runtime.publisher import Publisher
from services.runtime.reporter import Reporter
from services.runtime.settings import Settings


@dataclass(frozen=True)
class Parts:
    """Wired once, by ``services.api.app``."""

    settings: Settings
    database_url: str
    engine: AsyncEngine
    broker: RabbitBroker
    publisher: Publisher
    reporter: Reporter
    event_log: EventLog
    projector: Projector
    uploads: Uploads
    deletion: Deletion
    webhook: Webhook
    query_embedder: QueryEmbedder
    access: Access
    producers: Producers
    rates: Rates
    admission: Admission
    graveyard: Graveyard


def parts_of(request: Request) -> Parts:
    """The parts of the process that answers a request."""
    parts: Parts = request.app.state.parts
    return parts
