"""A chunk of a document, as the parser makes it and the database keeps it."""

import hashlib
from dataclasses import dataclass

CONTEXT_END = "\n\n"
SAID_HASH_BYTES = 8


@dataclass(frozen=True)
class Chunk:
    """A piece of a document that the model embeds as a whole.

    ``token_count`` is what the model sees: ``embedded_text`` and its special tokens. ``page_start`` and
    ``page_end`` count from 1 and are None in formats without pages.
    """

    index: int
    text: str
    token_count: int
    page_start: int | None
    page_end: int | None
    headings: tuple[str, ...]
    context: str = ""
    """The document's title and the path of headings, as far as they fit; embedded with the text, not shown."""

    @property
    def embedded_text(self) -> str:
        """What the model is given."""
        return in_context(self.context, self.text)


@dataclass(frozen=True)
class BatchChunk:
    """A chunk as it is to be embedded, and whether its owner has had the same text embedded before."""

    context: str
    text: str
    has_vector: bool

    @property
    def embedded_text(self) -> str:
        """What the model is given."""
        return in_context(self.context, self.text)

    @property
    def said_hash(self) -> bytes | None:
        """That by which contexts of the same text are counted; None for a text without one."""
        return text_hash(self.text)[:SAID_HASH_BYTES] if self.context else None


def in_context(context: str, text: str) -> str:
    """Put a chunk's context before its text; ``batch_statements`` does the same in SQL."""
    return f"{context}{CONTEXT_END}{text}" if context else text


def text_hash(embedded_text: str) -> bytes:
    """The SHA-256 by which a text's vector is known."""
    return hashlib.sha256(embedded_text.encode()).digest()
