"""A chunk of a document, as the parser makes it and the database keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """A piece of a document that the model embeds as a whole.

    ``token_count`` is what the model sees, its special tokens included. ``page_start`` and ``page_end`` count
    from 1 and are None in formats without pages.
    """

    index: int
    text: str
    token_count: int
    page_start: int | None
    page_end: int | None
    headings: tuple[str, ...]
