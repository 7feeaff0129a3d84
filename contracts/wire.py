"""The form of every message on the wire: camelCase keys, frozen in Python, times in RFC 3339 UTC."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    PlainSerializer,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}")
DOCUMENT_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"

DocumentId = Annotated[str, StringConstraints(pattern=DOCUMENT_ID_PATTERN)]


MAX_INTEGER = 2**31 - 1
"""PostgreSQL's integer: a number beyond it fits no column, and so no schema."""

MAX_DEPTH = 100
"""Of objects and arrays within each other; pydantic's reader of JSON stops at 200, and the log is read with it."""


def rfc3339(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds: ``2026-11-22T06:00:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_written(value: object) -> object:
    """Refuse a number of seconds, which pydantic would take for a moment. Raises ValueError."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.match(value)):
        return value
    raise ValueError("is no RFC 3339 time, as 2026-11-22T06:00:00.123Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside the years 1 to 9999 in UTC") from error


def _as_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse what JSON in UTF-8 can't say (half of a surrogate pair, infinity), or readers won't read.

    Raises ValueError.
    """
    if _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def _is_deeper(value: JsonValue, depth: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(one, depth - 1) for one in inner)


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_as_written),
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]

Metadata = Annotated[dict[str, JsonValue], AfterValidator(_as_json)]


class WireModel(BaseModel):
    """A message: immutable, and tolerant of keys that a newer sender may add."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
    )

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a message from its JSON body; raises pydantic.ValidationError."""
        return cls.model_validate_json(body)

    def to_wire(self) -> bytes:
        """Encode as UTF-8 JSON with the wire's key names."""
        return self.model_dump_json(by_alias=True).encode()
