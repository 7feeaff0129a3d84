"""The failures of documents: the codes that the outside sees, and the root of expected errors."""

from enum import StrEnum


class StagecastError(Exception):
    """The root of what is expected to go wrong."""


class Stage(StrEnum):
    """The part of its way on which a document failed."""

    UPLOAD = "upload"
    PARSING = "parsing"
    EMBEDDING = "embedding"


class FailureCode(StrEnum):
    """The reason why a document failed, for programs."""

    UNSUPPORTED_TYPE = "unsupported_type"
    EMPTY_DOCUMENT = "empty_document"
    NO_TEXT_LAYER = "no_text_layer"
    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_MEMORY = "parse_memory"
    PARSER_CRASHED = "parser_crashed"
    EMBEDDER_CRASHED = "embedder_crashed"
    DELIVERY_LIMIT = "delivery_limit"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


RETRYABLE = frozenset(
    {
        FailureCode.PARSE_TIMEOUT,
        FailureCode.PARSE_MEMORY,
        FailureCode.PARSER_CRASHED,
        FailureCode.EMBEDDER_CRASHED,
        FailureCode.DELIVERY_LIMIT,
        FailureCode.CANCELLED,
        FailureCode.INTERNAL,
    }
)
"""Codes for which the same bytes may succeed another time; the others are properties of the file."""


class DocumentFailed(StagecastError):
    """A document can't be processed, for a reason that its owner is told.

    ``message`` is a sentence for people; ``code`` is what programs switch on.
    """

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def retryable(self) -> bool:
        """True when the same bytes may succeed another time."""
        return self.code in RETRYABLE
