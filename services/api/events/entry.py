"""One event as the log has it, with the frame that browsers get."""

from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from contracts.events import DocumentDeleted, LogEvent, StatusEvent
from services.api.events.frames import encode_frame
from services.api.events.position import Position
from services.runtime.logs import get_logger

OFFSET_HEADER = "x-stream-offset"
MARKER_TYPE = "log_opened"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event at its position; ``event`` is None where somebody published what is no event."""

    position: Position
    event: LogEvent | None
    frame: bytes

    @property
    def offset(self) -> int:
        """The offset in the stream; grows, but not by one each time."""
        return self.position.offset


def read_entry(message: AbstractIncomingMessage) -> Entry:
    """Decode a delivery from the stream; never raises, since one bad message must not stop the log."""
    offset = message.headers[OFFSET_HEADER]
    if not isinstance(offset, int):
        raise TypeError(f"{OFFSET_HEADER} is {offset!r}: this is no delivery from a stream")
    event = None if message.type == MARKER_TYPE else _decode(message)
    position = Position.of(offset, event.event_id if event else message.message_id or message.body.hex()[:64])
    frame = encode_frame(event.type, event.to_wire(), str(position)) if event else b""
    return Entry(position, event, frame)


def _decode(message: AbstractIncomingMessage) -> LogEvent | None:
    kind = DocumentDeleted if message.type == DocumentDeleted.type else StatusEvent
    try:
        return kind.decode(message.body)
    except ValidationError as error:
        log.warning(
            "no event in the log", offset=message.headers[OFFSET_HEADER], problems=error.error_count()
        )
        return None
