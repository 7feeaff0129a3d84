"""Where in a chunk the words of a query stand."""

import re
from collections.abc import Container, Iterable, Iterator
from itertools import chain, pairwise

from services.search_terms.folding import normalized
from services.search_terms.identifiers import signed_numbers
from services.search_terms.terms import TermKind, WantedTerms, Word, signed_term, whole_words, words_of
from services.search_terms.tokenization import CLUSTER, PART, TOKEN, is_unspaced, may_be_word

Span = tuple[int, int]
"""From the first code point to behind the last."""


_PIECE = re.compile(r"\S+")


def highlights(text: str, terms: WantedTerms) -> list[Span]:
    """Return the spans of a chunk's text that have one of the terms, in order, none touching another.

    ``terms`` are those of a query (``bm25.QueryTerms.weights``) in the document's language, as it was when its
    terms were stored. A word is a span as a whole, whichever form of it was asked for, an identifier
    if it was asked for as it stands, and else those of its parts that were; in scripts without spaces as much of
    a run as belongs to the words.
    """
    wanted = terms.wanted
    signed = (match.span() for match in signed_numbers(text) if signed_term(match) in wanted)
    # Most of a text has none of the words, and what its pieces have is mostly known.
    pieces = (match.span() for match in _PIECE.finditer(text) if terms[match[0]])
    spans = (span for piece in pieces for span in _token_spans(text, piece, wanted, (terms.language,)))
    return _merged(sorted(chain(signed, spans)))


def _token_spans(
    text: str, piece: Span, wanted: Container[str], languages: tuple[str | None]
) -> Iterator[Span]:
    for match in TOKEN.finditer(text, *piece):
        token, start = match[0], match.start()
        if is_unspaced(token):
            yield from ((start + first, start + end) for first, end in _run_spans(token, wanted))
        elif _is_wanted(whole_words(token, languages), wanted):
            yield match.span()
        else:
            yield from (
                (start + part.start(), start + part.end())
                for part in PART.finditer(token)
                if _is_wanted(words_of(part[0], languages), wanted)
            )


def _run_spans(run: str, wanted: Container[str]) -> Iterator[Span]:
    clusters = [(normalized(match[0]), *match.span()) for match in CLUSTER.finditer(run)]
    for letter, start, end in clusters:
        is_word = len(clusters) == 1 or may_be_word(letter)
        if is_word and TermKind.BIGRAM + letter in wanted:
            yield start, end
    for (first, start, _), (second, _, end) in pairwise(clusters):
        if TermKind.BIGRAM + first + second in wanted:
            yield start, end


def _is_wanted(words: Iterable[Word], wanted: Container[str]) -> bool:
    return any(term in wanted for word in words for term in word.keys + word.forms)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
