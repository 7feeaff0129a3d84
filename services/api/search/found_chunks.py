"""The chunks that may be hits: their texts, and what of a query's words stands in each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.search.matching import Match
from services.search_terms.bm25 import QueryTerms, shares
from services.search_terms.highlights import Span, highlights
from services.search_terms.passages import names_of_document, texts_of
from services.search_terms.terms import WantedTerms

ChunkKey = tuple[str, int]
"""A document's id and a chunk's index."""

_READ = text("""
SELECT c.document_id, c.index, c.text, c.token_count, c.headings, c.page_start, c.page_end, d.filename,
  a.details -> 'title' AS title, a.language
FROM unnest(CAST(:document_ids AS text[]), CAST(:attempts AS int[]), CAST(:firsts AS int[]), CAST(:lasts AS int[]))
  AS span (document_id, attempt, first, last)
JOIN chunks c
  ON c.document_id = span.document_id AND c.attempt = span.attempt AND c.index BETWEEN span.first AND span.last
JOIN attempts a ON a.document_id = c.document_id AND a.attempt = c.attempt
JOIN documents d ON d.document_id = c.document_id
ORDER BY c.document_id, c.index
""")


@dataclass(frozen=True)
class FoundChunk:
    """A chunk, and what is known of its document."""

    document_id: str
    index: int
    text: str
    token_count: int
    headings: list[str]
    page_start: int | None
    page_end: int | None
    filename: str | None
    title: str | None
    language: str | None

    @property
    def key(self) -> ChunkKey:
        """The chunk's document and its index."""
        return self.document_id, self.index

    @property
    def names(self) -> Sequence[str]:
        """What the document is called."""
        return names_of_document(self.title, self.filename)

    def highlights(self, terms: "WantedByLanguage") -> list[Span]:
        """Return where words of a query stand in the text, in code points."""
        return highlights(self.text, terms[self.language])


class WantedByLanguage(dict[str | None, WantedTerms]):
    """The terms of a query that pieces of texts have, by the texts' language."""

    def __init__(self, query: QueryTerms) -> None:
        super().__init__()
        self.query = query

    def __missing__(self, language: str | None) -> WantedTerms:
        """Begin with a language."""
        found = self[language] = WantedTerms(self.query.weights.keys(), language)
        return found


async def read_chunks(
    connection: AsyncConnection, spans: Iterable[tuple[str, int, int, int]]
) -> dict[ChunkKey, FoundChunk]:
    """Return chunks; spans are of a document, an attempt, first and last index."""
    wanted = list(spans)
    if not wanted:
        return {}
    document_ids, attempts, firsts, lasts = map(list, zip(*wanted, strict=True))
    values = {"document_ids": document_ids, "attempts": attempts, "firsts": firsts, "lasts": lasts}
    found = (FoundChunk(*row) for row in await connection.execute(_READ, values))
    return {chunk.key: chunk for chunk in found}


def shares_of(
    matches: Iterable[Match], chunks: dict[ChunkKey, FoundChunk], terms: WantedByLanguage
) -> dict[ChunkKey, float]:
    """Return the share that each chunk of passages has of its passage's words."""
    found: dict[ChunkKey, float] = {}
    for match in matches:
        keys = ((match.document_id, index) for index in range(match.first, match.last + 1))
        own = [chunks[key] for key in keys if key in chunks]
        counted = [terms[chunk.language].count(texts_of([chunk], chunk.names)) for chunk in own]
        found |= zip((chunk.key for chunk in own), shares(terms.query, counted), strict=True)
    return found
