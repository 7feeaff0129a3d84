"""A document on its way through the parser: blocks as a format reads them, chunks as the model gets them."""

from dataclasses import dataclass, field

from services.lifecycle.chunk import Chunk

BETWEEN_CELLS = " | "
"""What parts the cells of a table's row, and the names of its columns."""


@dataclass(frozen=True)
class Block:
    """Text that belongs together: under one heading and, in formats with pages, on one page.

    ``page`` counts from 1; ``headings`` is the path from the document's outermost heading down. With ``columns`` it
    is the rows of a table, a line each: that is the line of names which stands before whatever is cut out of it.
    """

    text: str
    page: int | None = None
    headings: tuple[str, ...] = ()
    columns: str = ""


@dataclass(frozen=True)
class Content:
    """The content of a file, as a format reads it.

    ``pages_failed`` could not be read and ``pages_garbled`` have text that is no text; both count from 1.
    """

    blocks: tuple[Block, ...]
    page_count: int | None = None
    pages_failed: tuple[int, ...] = ()
    pages_garbled: tuple[int, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ParsedDocument:
    """A whole document in chunks, at least one."""

    chunks: tuple[Chunk, ...]
    page_count: int | None
    pages_failed: tuple[int, ...]
    pages_garbled: tuple[int, ...]
    metadata: dict[str, str]
