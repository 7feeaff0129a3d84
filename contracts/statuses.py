"""The status machine as data: which status a document may take after which.

parsing_started → parsing → parsed → embedding → embedded
      └────────────┴─────────┴──────────┴──→ failed
"""

from enum import StrEnum


class Status(StrEnum):
    """The status of a document."""

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

REPEATED = frozenset(status for status, followers in FOLLOWS.items() if status in followers)
"""Told again with progress: of these the newest of a document says all that the earlier ones did."""

SENTENCES: dict[Status, str] = {
    Status.PARSING_STARTED: "The document waits to be parsed.",
    Status.PARSING: "The document is being parsed.",
    Status.PARSED: "The document was parsed.",
    Status.EMBEDDING: "The document is being embedded.",
    Status.EMBEDDED: "The document was embedded.",
    Status.FAILED: "The document could not be processed.",
}
"""The message of an event where nobody says more."""

RANK: dict[Status, int] = {status: rank for rank, status in enumerate(FOLLOWS)}
"""The order of statuses; two events of one attempt never take a document to a lower rank."""


def supersedes(attempt: int, status: Status, *, known_attempt: int, known_status: Status) -> bool:
    """Return whether news of a document count against what is known of it.

    A later attempt does, an earlier one never. Within an attempt a document only moves on, and what has ended stays
    as it ended; ``parsing`` and ``embedding`` repeat with progress.
    """
    if attempt != known_attempt:
        return attempt > known_attempt
    return known_status not in TERMINAL and RANK[status] >= RANK[known_status]
