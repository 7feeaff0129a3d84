"""How every message looks on the wire: camelCase keys, frozen in Python, times in RFC 3339 UTC."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints
from pydantic.alias_generators import to_camel

DOCUMENT_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"

DocumentId = Annotated[str, StringConstraints(pattern=DOCUMENT_ID_PATTERN)]


def rfc3339(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds: ``2026-11-22T06:00:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]


class WireModel(BaseModel):
    """A message: immutable, and tolerant of keys that a newer sender may add."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
    )

    def to_wire(self) -> bytes:
        """Encode as UTF-8 JSON with the wire's key names."""
        return self.model_dump_json(by_alias=True).encode()
