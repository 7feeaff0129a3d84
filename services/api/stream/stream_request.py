"""What a client asks for, and what the operator lets it have."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.stream.filters import View


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What the operator set."""

    heartbeat_seconds: float = 30.0
    lease_seconds: float = 3600.0
    connections: int = 20_000
    connections_per_user: int = 100


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a client asked for; ``expires_at`` (Unix time) is when its token ends, if it has one.

    ``newest`` are the frames of a snapshot, and ``last_event_id`` is then its position.
    """

    view: View
    last_event_id: str | None = None
    expires_at: float | None = None
    newest: Sequence[bytes] = ()
