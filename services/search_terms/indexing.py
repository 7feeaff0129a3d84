"""From a document's chunks to what is stored so that their words are found."""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from services.search_terms.bm25 import passage_weights
from services.search_terms.dimensions import owner_dimension, sparsevec
from services.search_terms.indexed_document import IndexedDocument, IndexedPassage
from services.search_terms.language import language_of
from services.search_terms.passages import ChunkText, Passage, passages
from services.search_terms.terms import VERSION, count_terms


def indexed(
    chunks: Sequence[ChunkText],
    names: Sequence[str],
    owner_id: str | None,
    declared: str | None = None,
    *,
    is_abandoned: Callable[[], bool] = lambda: False,
) -> IndexedDocument:
    """Make what is stored of a document with these names; some milliseconds for each 10,000 characters.

    ``declared`` is the language that it says it is in, which counts where its text doesn't tell. Ends early, with
    passages missing, when ``is_abandoned`` says that nobody waits for it any more.
    """
    language = language_of([chunk.text for chunk in chunks]) or declared
    wanted = takewhile(lambda _: not is_abandoned(), passages(chunks, names))
    return IndexedDocument(language, tuple(_indexed(wanted, language, owner_id)), VERSION)


def _indexed(
    found: Iterator[Passage], language: str | None, owner_id: str | None
) -> Iterator[IndexedPassage]:
    owner = owner_dimension(owner_id)
    for passage in found:
        weights = passage_weights(count_terms(passage.texts, language))
        dimensions = ",".join(map(str, (owner, *weights)))
        yield IndexedPassage(passage.first, passage.last, f"{{{dimensions}}}", sparsevec(weights))
