"""What documents are chosen by, alike in lists and in bulk calls."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, field_validator
from sqlalchemy import ColumnElement, func, or_

from contracts.events import OwnerId
from contracts.failures import FailureCode
from contracts.statuses import Status
from contracts.wire import Timestamp, WireModel
from services.api.access.caller import Caller
from services.api.documents.file_types import matches_file_type
from services.api.refusals import Forbidden
from services.runtime.database.listed_columns import SHOWN_CODE, SHOWN_STATUS
from services.runtime.database.tables import documents

MOST_VALUES = 100

_Text = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]


class DocumentFilter(WireModel):
    """Parts that are all to be met; of a part with several values any. What is left out asks for nothing."""

    status: Annotated[tuple[Status, ...], Field(max_length=MOST_VALUES)] = ()
    code: Annotated[tuple[FailureCode, ...], Field(max_length=MOST_VALUES)] = ()
    """Of failed documents."""
    file_type: Annotated[tuple[_Text, ...], Field(max_length=MOST_VALUES)] = ()
    """A media type, ``image/*``, or a file ending such as ``pdf``."""
    name: _Text | None = None
    """A part of the file name, whichever case it is in."""
    owner_id: OwnerId | None = None
    """For administrators, and the one local user."""
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None

    @field_validator("status", "code", "file_type", mode="before")
    @classmethod
    def _as_several(cls, value: object) -> object:
        # As in an address, where one value is written like the first of several.
        return (value,) if isinstance(value, str) else value

    @property
    def is_empty(self) -> bool:
        """True where every document would do."""
        return not any(getattr(self, name) for name in DocumentFilter.model_fields)

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions on documents but for their owner, for which ``owned`` is asked."""
        found: list[ColumnElement[bool]] = []
        if self.status:
            found.append(_among(SHOWN_STATUS, self.status))
        if self.code:
            found += [documents.c.error.is_not(None), _among(SHOWN_CODE, self.code)]
        if self.file_type:
            found.append(or_(*(matches_file_type(wanted) for wanted in self.file_type)))
        if self.name is not None:
            found.append(func.lower(documents.c.filename).contains(self.name.lower(), autoescape=True))
        if self.created_after is not None:
            found.append(documents.c.created_at > self.created_after)
        if self.created_before is not None:
            found.append(documents.c.created_at < self.created_before)
        return found

    def owned(self, caller: Caller) -> list[ColumnElement[bool]]:
        """The conditions on the owner, of which one is to be met; each by itself is answered from an index.

        Raises Forbidden where somebody else's documents are asked for.
        """
        if self.owner_id is None:
            return caller.visible_parts()
        if not caller.may_see(self.owner_id):
            raise Forbidden("Documents of another owner are for administrators.")
        return [documents.c.owner_id == self.owner_id]


class StrictDocumentFilter(DocumentFilter):
    """The filter of a bulk call: a part that is misspelled must not choose everything else."""

    model_config = ConfigDict(extra="forbid")


def _among(column: ColumnElement[str], values: tuple[StrEnum, ...]) -> ColumnElement[bool]:
    # Of one value alone an index gives them in the order of their making.
    return column == values[0].value if len(values) == 1 else column.in_([value.value for value in values])
