"""One event as the log has it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.events import DocumentDeleted, LogEvent, OperationProgress, StatusEvent
from services.api.log.position import Position
from services.runtime.process.logging import get_logger

MARKER_TYPE = "log_opened"
OVERHEAD_BYTES = 1700
"""Of an entry in memory beside its body, for the decoded event (measured with tracemalloc), an encoding and its
place in the ring's index."""

_KINDS: dict[str | None, type[LogEvent]] = {kind.type: kind for kind in (DocumentDeleted, OperationProgress)}

log = get_logger(__name__)


@dataclass(slots=True, eq=False)
class Entry:
    """An event at its position; ``event`` is None where somebody published what is no event.

    ``size`` is about what it takes in memory, in bytes.
    """

    position: Position
    event: LogEvent | None
    size: int
    _encoded: bytes | None = field(default=None, init=False, repr=False)

    @property
    def offset(self) -> int:
        """The offset in the stream; grows, but not by one each time."""
        return self.position.offset

    def encoded(self, encode: Callable[["Entry"], bytes]) -> bytes:
        """Return what ``encode`` makes of this entry, made when first asked for and kept.

        One encoding for all who send entries on: ``encode`` is the same function each time.
        """
        if self._encoded is None:
            self._encoded = encode(self)
        return self._encoded


def read_entry(offset: int, message_type: str | None, message_id: str | None, body: bytes) -> Entry:
    """Decode a message of the stream; never raises, since one bad message must not stop the log."""
    event = None if message_type == MARKER_TYPE else _decode(offset, message_type, body)
    position = Position.of(offset, event.event_id if event else message_id or body.hex()[:64])
    return Entry(position, event, OVERHEAD_BYTES + len(body))


def _decode(offset: int, message_type: str | None, body: bytes) -> LogEvent | None:
    kind = _KINDS.get(message_type, StatusEvent)
    try:
        return kind.decode(body)
    except ValueError as error:  # of pydantic
        log.warning("log_entry_invalid", offset=offset, reason=type(error).__name__)
        return None
