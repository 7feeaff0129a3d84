"""Talk to Stagecast from Python: report what becomes of documents, and follow its events."""

from stagecast_client.cursor import Event
from stagecast_client.events import AsyncEventStream, EventStream
from stagecast_client.failures import NotDelivered, Refused, StagecastError, Unreachable
from stagecast_client.notifier import AsyncNotifier, Notifier

__all__ = [
    "AsyncEventStream",
    "AsyncNotifier",
    "Event",
    "EventStream",
    "NotDelivered",
    "Notifier",
    "Refused",
    "StagecastError",
    "Unreachable",
]
