"""The two lanes of each stage: one for what people wait for, one for bulk.

Two queues and not priorities of messages: those mean other things on each version of RabbitMQ, if any.
"""

from enum import StrEnum


class Lane(StrEnum):
    """A lane, in which a stage's commands wait."""

    FIRST = "first"
    """For what somebody waits for: small, and of an owner who has little under way."""
    BULK = "bulk"
    """For large documents, for owners who have many, and for what was uploaded with ``priority=bulk``."""


class Priority(StrEnum):
    """What was asked for at the upload of a document."""

    NORMAL = "normal"
    BULK = "bulk"
