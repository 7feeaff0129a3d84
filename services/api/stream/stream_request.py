"""A stream as a client asks for it, and the limits that the operator set."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.stream.filters import View


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Seconds and numbers of streams that the operator set."""

    heartbeat_seconds: float = 30.0
    lease_seconds: float = 3600.0
    connections: int = 20_000
    connections_per_user: int = 100


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A stream as a client asked for it; ``expires_at`` (Unix time) is when its token ends, if it has one.

    ``newest`` are the frames of a snapshot, and ``last_event_id`` is then its position.
    """

    view: View
    last_event_id: str | None = None
    expires_at: float | None = None
    newest: Sequence[bytes] = ()
