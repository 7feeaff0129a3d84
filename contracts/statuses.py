"""The status machine as data: which status a document may take after which.

parsing_started → parsing → parsed → embedding → embedded
      └────────────┴─────────┴──────────┴──→ failed
"""

from enum import StrEnum


class Status(StrEnum):
    """What has become of a document."""

    PARSING_STARTED = "parsing_started"
    PARSING = "parsing"
    PARSED = "parsed"
    EMBEDDING = "embedding"
    EMBEDDED = "embedded"
    FAILED = "failed"


FOLLOWS: dict[Status, frozenset[Status]] = {
    Status.PARSING_STARTED: frozenset({Status.PARSING, Status.FAILED}),
    Status.PARSING: frozenset({Status.PARSING, Status.PARSED, Status.FAILED}),
    Status.PARSED: frozenset({Status.EMBEDDING, Status.FAILED}),
    Status.EMBEDDING: frozenset({Status.EMBEDDING, Status.EMBEDDED, Status.FAILED}),
    Status.EMBEDDED: frozenset(),
    Status.FAILED: frozenset(),
}
"""Statuses that may follow each one within an attempt; ``parsing`` and ``embedding`` repeat with progress."""

TERMINAL = frozenset(status for status, followers in FOLLOWS.items() if not followers)

RANK: dict[Status, int] = {status: rank for rank, status in enumerate(FOLLOWS)}
"""How far along a status is; two events of one attempt never take a document to a lower rank."""
