"""Why the server ends a stream; the client comes back by itself."""

from enum import StrEnum


class ReconnectReason(StrEnum):
    """The ``reason`` of a ``reconnect``."""

    SHUTDOWN = "shutdown"
    LEASE = "lease"
    AUTH = "auth"
