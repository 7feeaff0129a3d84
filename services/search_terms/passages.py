"""From chunks to passages, in which words are looked for.

A chunk is short, so that its vector says one thing; a word that is asked for often stands in its neighbour. So
words are counted over about two chunks, and ``bm25.shares`` tells which of them has most of those asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import Protocol

MAX_TOKENS = 256
MAX_CHARACTERS = 4_096
"""However few tokens they make: a word that the model does not know is one token, however long."""
MAX_NAME = 300
"""Code points of a title or heading that count."""
LEAST_DIGITS = 4
"""Of a file's name that is a number alone: an invoice, and not the next of a row."""


class ChunkText(Protocol):
    """What is needed of a chunk; ``lifecycle.chunk.Chunk`` and rows of the table have it."""

    @property
    def index(self) -> int:
        """The place in the document, from 0."""

    @property
    def text(self) -> str:
        """The text itself, without headings."""

    @property
    def token_count(self) -> int:
        """Tokens of the model."""

    @property
    def headings(self) -> Sequence[str]:
        """The headings that the chunk stands under, outermost first."""


@dataclass(frozen=True)
class Passage:
    """Consecutive chunks, from ``first`` to ``last`` index, and the texts whose words are theirs."""

    first: int
    last: int
    texts: tuple[str, ...]


def passages(chunks: Iterable[ChunkText], names: Sequence[str]) -> Iterator[Passage]:
    """Join the chunks of a document in the order of their indices, without overlap.

    ``names`` are what the document is called: its words count in each passage. A passage ends before the chunk that
    would make it too long, and where an index is missing. The same chunks always give the same passages.
    """
    taken: list[ChunkText] = []
    for chunk in chunks:
        if taken and not _fits(taken, chunk):
            yield _passage(taken, names)
            taken = []
        taken.append(chunk)
    if taken:
        yield _passage(taken, names)


def names_of_document(title: object, filename: str | None) -> tuple[str, ...]:
    """Return what people look for a document by: the title that it gives itself, and its file's name.

    A file that is only numbered has no name: whoever asks for a 5 means none of those. A long number is one.
    """
    stem = PurePath(filename or "").stem
    stem = "" if stem.isdigit() and len(stem) < LEAST_DIGITS else stem
    return tuple(dict.fromkeys(name for name in (title, stem) if isinstance(name, str) and name))


def texts_of(chunks: Sequence[ChunkText], names: Sequence[str]) -> tuple[str, ...]:
    """Return the texts whose words count for chunks: their own, and once each name and every heading."""
    headings = chain.from_iterable(chunk.headings for chunk in chunks)
    above = dict.fromkeys(text[:MAX_NAME] for text in (*names, *headings))
    return (*(chunk.text for chunk in chunks), *filter(None, above))


def _fits(taken: Sequence[ChunkText], chunk: ChunkText) -> bool:
    together = (*taken, chunk)
    return (
        chunk.index == taken[-1].index + 1
        and sum(one.token_count for one in together) <= MAX_TOKENS
        and sum(len(one.text) for one in together) <= MAX_CHARACTERS
    )


def _passage(chunks: Sequence[ChunkText], names: Sequence[str]) -> Passage:
    return Passage(chunks[0].index, chunks[-1].index, texts_of(chunks, names))
