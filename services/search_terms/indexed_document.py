"""What is stored of a document so that its words are found.

By itself, since who writes it down or away needs none of the libraries that make it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class IndexedPassage:
    """A passage from its ``first`` to its ``last`` chunk, written as PostgreSQL reads it.

    ``weights`` is a ``sparsevec``; ``dimensions``, an ``int[]``, are those of it that are not 0, and the owner's.
    """

    first: int
    last: int
    dimensions: str
    weights: str


@dataclass(frozen=True)
class IndexedDocument:
    """A document's language (ISO 639-1, or None where it is not sure) and its passages, in their order."""

    language: str | None
    passages: tuple[IndexedPassage, ...]
    version: int
    """That of the terms."""
