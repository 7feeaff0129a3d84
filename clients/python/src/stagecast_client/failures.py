"""What can go wrong."""


class StagecastError(Exception):
    """The root of what this package raises."""


class NotDelivered(StagecastError):
    """A report did not arrive, or the server did not take it; ``status`` is None where there was no answer."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Refused(StagecastError):
    """The server will not open the stream, and trying again would not change that."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{reason} (HTTP {status})")
        self.status = status
