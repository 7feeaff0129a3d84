"""One event as the log has it, with the frame that browsers get."""

from dataclasses import dataclass

from contracts.events import DocumentDeleted, LogEvent, StatusEvent
from services.api.log.position import Position
from services.api.stream.sse import encode_frame
from services.runtime.process.logging import get_logger

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


def read_entry(offset: int, message_type: str | None, message_id: str | None, body: bytes) -> Entry:
    """Decode a message of the stream; never raises, since one bad message must not stop the log."""
    event, data = (None, b"") if message_type == MARKER_TYPE else _decode(offset, message_type, body)
    position = Position.of(offset, event.event_id if event else message_id or body.hex()[:64])
    frame = encode_frame(event.type, data, str(position)) if event else b""
    return Entry(position, event, frame)


def _decode(offset: int, message_type: str | None, body: bytes) -> tuple[LogEvent | None, bytes]:
    """The event and how it is sent on, or nothing for what is no event."""
    kind = DocumentDeleted if message_type == DocumentDeleted.type else StatusEvent
    try:
        event = kind.decode(body)
        return event, event.to_wire()
    except ValueError as error:  # of pydantic: it doesn't fit, or can't be written
        log.warning("no event in the log", offset=offset, reason=type(error).__name__)
        return None, b""
