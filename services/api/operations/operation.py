"""An operation: a bulk call that is worked off in the background."""

from dataclasses import dataclass

from contracts.document_calls import OperationKind
from contracts.wire import Timestamp, WireModel


class OperationView(WireModel):
    """An operation as its owner sees it; ``done`` of ``matched`` documents were dealt with."""

    operation_id: str
    kind: OperationKind
    done: int
    matched: int
    ended: bool
    owner_id: str | None
    created_at: Timestamp
    ended_at: Timestamp | None


@dataclass(frozen=True)
class Operation:
    """An operation that this replica works on for now."""

    operation_id: str
    kind: OperationKind
    owner_id: str | None


@dataclass(frozen=True)
class Item:
    """A document of an operation, and the attempt that was its current one when the operation was asked for."""

    number: int
    document_id: str
    attempt: int
