"""Refusals: one class for each status that a caller is told, of which rooms derive their own.

Each is raised where its reason is known; ``services.api.http.problems`` alone makes answers of them.
"""

from collections.abc import Mapping, Sequence

from contracts.failures import StagecastError

FieldError = Mapping[str, str]
"""``field`` (a dotted path) and ``message``; never the value that was sent."""


class Refused(StagecastError):
    """A request that is not carried out. ``detail`` is a sentence for people, ``retry_after`` in seconds."""

    status = 400
    detail = "The request can't be read."
    headers: Mapping[str, str] = {}
    retry_after: int | None = None

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.detail = detail or self.detail
        self.errors = errors
        self.retry_after = retry_after or self.retry_after
        super().__init__(self.detail)


class Malformed(Refused):
    """A request that is no HTTP, no JSON, cut off, or that can be read in two ways."""


class Unauthenticated(Refused):
    """A caller who could not be identified; the answer does not say why."""

    status = 401
    detail = "A valid token is needed."
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="stagecast"'}


class Forbidden(Refused):
    """A caller who is known, and may not do this."""

    status = 403


class NotFound(Refused):
    """An address where nothing is, or nothing for this caller to see."""

    status = 404


class TooSlow(Refused):
    """A body that does not come in time."""

    status = 408


class Conflict(Refused):
    """A request that the present state of what it is for does not allow."""

    status = 409


class TooLarge(Refused):
    """A body that is larger than it may be."""

    status = 413


class Unsupported(Refused):
    """A body of a type that is not taken."""

    status = 415


class RangeNotSatisfiable(Refused):
    """A range that lies outside what was asked for, of ``size`` bytes."""

    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"There are {size} bytes, and none in the range that was asked for.")
        self.headers = {"Content-Range": f"bytes */{size}"}


class Misdirected(Refused):
    """A request for a name that is not ours."""

    status = 421


class Invalid(Refused):
    """A request that does not fit its schema; ``errors`` name the fields."""

    status = 422
    detail = "The request does not fit the schema."


class TooManyRequests(Refused):
    """A request over a rate or a limit of this caller."""

    status = 429
    detail = "Too many requests; try again later."
    retry_after = 5


class Unready(Refused):
    """A request that nobody could be answered now."""

    status = 503
    detail = "A part of the system does not answer; try again soon."
    retry_after = 5


class Full(Unready):
    """A request for something new, for which there is no room on a disk."""

    detail = (
        "The disk is nearly full, so nothing new is taken until there is room: delete documents to make some, "
        "or try again later."
    )
    retry_after = 10
