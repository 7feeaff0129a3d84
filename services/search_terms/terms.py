"""From a text to its terms: what it can be found by."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from services.search_terms.folding import folded, normalized
from services.search_terms.identifiers import closed_up, names_of, signed_name, signed_numbers, spoken_parts
from services.search_terms.stemming import stem
from services.search_terms.tokenization import CLUSTER, PART, TOKEN, is_unspaced, may_be_word

VERSION = 1
"""Of the terms that a text has. Whatever changes them, a release of the stemmer among it, makes the next one, and
passages with terms of an older one are found less well until they are counted again."""

MAX_TERM = 128
"""Code points of a term; of a longer one the beginning counts. The longest checksums in use have so many."""

_CACHED_LENGTH = 64
_CACHED_PIECES = 50_000
"""For all languages of a process; some 40 MB."""

_PUNCTUATION = '.,;:!?()[]{}<>|*`"“”„«»…'
"""Is at no end of a token; without it pieces are more often the same."""


class TermKind(StrEnum):
    """What a term is of its text. Its letter begins the term, so that terms of two kinds are never the same."""

    STEM = "s"
    """What a word has in common with its other forms, without accents: run of running, and of run."""
    WORD = "w"
    """A word as it stands, where that is not its stem."""
    IDENTIFIER = "i"
    """A name or number that is no word of a language: ERR_CONN_RESET, KX-4471-B, § 12a, a file, an address."""
    BIGRAM = "b"
    """Two neighbouring letters of a script without spaces, or one that may be a word alone."""


class Word(NamedTuple):
    """A word with the terms that mean it.

    A text has one of the ``keys`` for each language that its word may be of, and so has any other form of the word.
    Only the same form has one of ``forms``.
    """

    keys: tuple[str, ...]
    forms: tuple[str, ...] = ()


@dataclass(frozen=True)
class TermCounts:
    """How often a text has each of its terms, and how many words it has."""

    counts: dict[str, int]
    length: int


class _Counted(NamedTuple):
    terms: tuple[str, ...]
    length: int


def count_terms(texts: Iterable[str], language: str | None) -> TermCounts:
    """Count the terms of texts in one language, an ISO 639-1 code or None where it is not known."""
    texts = list(texts)
    counts = Counter(map(signed_term, chain.from_iterable(map(signed_numbers, texts))))
    length = 0
    for piece, times in Counter(chain.from_iterable(text.split() for text in texts)).items():
        terms, words = terms_of(piece.strip(_PUNCTUATION), language)
        length += words * times
        for term in terms:
            counts[term] = counts.get(term, 0) + times
    return TermCounts(dict(counts), length)


class WantedTerms(dict[str, tuple[str, ...]]):
    """Those of the wanted terms that a piece of text without spaces has, repeats included, by the piece.

    Of texts in one language. Most pieces have none, and the same ones stand in all texts: each is looked at once.
    """

    def __init__(self, wanted: Set[str], language: str | None) -> None:
        super().__init__()
        self.wanted = wanted
        self.language = language

    def __missing__(self, piece: str) -> tuple[str, ...]:
        """Look at a piece for the first time."""
        terms = terms_of(piece.strip(_PUNCTUATION), self.language).terms
        found = self[piece] = (
            () if self.wanted.isdisjoint(terms) else tuple(term for term in terms if term in self.wanted)
        )
        return found

    def count(self, texts: Iterable[str]) -> Counter[str]:
        """Count the wanted terms of texts, as ``count_terms`` counts all; in a part of the time."""
        texts = list(texts)
        signed = map(signed_term, chain.from_iterable(map(signed_numbers, texts)))
        pieces = chain.from_iterable(text.split() for text in texts)
        counts = Counter(term for term in signed if term in self.wanted)
        counts.update(chain.from_iterable(map(self.__getitem__, pieces)))
        return counts


def query_words(query: str, languages: Iterable[str | None]) -> Counter[Word]:
    """Return the words of a query, each with how often it stands there.

    ``languages`` are those of the texts that are searched. What language a query is in can't be told from three
    words, so its words are stemmed by each: a text has the stem of its own.
    """
    among = tuple(dict.fromkeys((None, *languages)))
    named = (Word((signed_term(match),)) for match in signed_numbers(query))
    return Counter(chain(named, (word for token in TOKEN.findall(query) for word in words_of(token, among))))


def terms_of(piece: str, language: str | None) -> _Counted:
    """Return the terms of a piece of text without spaces, repeats included, and its number of words."""
    return _cached_terms(piece, language) if len(piece) <= _CACHED_LENGTH else _terms(piece, language)


def words_of(token: str, languages: tuple[str | None, ...]) -> Iterator[Word]:
    """Yield the words of a token of ``tokenization.TOKEN``: what it is as a whole, and its parts."""
    for piece in _pieces(token):
        if is_unspaced(piece):
            yield from _bigrams(piece)
        else:
            parts = PART.findall(piece)
            yield from _whole_words(piece, parts, languages)
            for part in spoken_parts(piece, parts):
                yield from _cached_word(part[:MAX_TERM], languages)


def whole_words(token: str, languages: tuple[str | None, ...]) -> Iterator[Word]:
    """Yield the words that a token of several parts is as a whole: identifiers, compounds without their signs."""
    for piece in _pieces(token):
        if not is_unspaced(piece):
            yield from _whole_words(piece, PART.findall(piece), languages)


def signed_term(match: re.Match[str]) -> str:
    """Return the term of a number with a sign before it."""
    return _term(TermKind.IDENTIFIER, signed_name(match))


def _terms(piece: str, language: str | None) -> _Counted:
    if piece.isascii() and piece.isalpha() and len(piece) <= MAX_TERM:
        return _plain_terms(piece.lower(), language)
    words = [word for token in TOKEN.findall(piece) for word in words_of(token, (language,))]
    terms = chain.from_iterable(word.keys + word.forms for word in words)
    return _Counted((*terms, *_letters(piece)), len(words))


def _plain_terms(word: str, language: str | None) -> _Counted:
    """Most pieces are a word of ASCII, for which all that is between can be left out: a third of the time."""
    root = TermKind.STEM.value + stem(word, language)
    form = TermKind.WORD.value + word
    return _Counted((root,) if root[1:] == word else (root, form), 1)


_cached_terms = lru_cache(_CACHED_PIECES)(_terms)


def _pieces(token: str) -> Sequence[str]:
    """A token, normalised; several where that makes other characters of one."""
    text = normalized(token)
    return (text,) if token.isascii() else TOKEN.findall(text)


def _whole_words(token: str, parts: Sequence[str], languages: tuple[str | None, ...]) -> Iterator[Word]:
    if parts != [token]:
        for name in names_of(token, parts):
            yield Word((_term(TermKind.IDENTIFIER, name),))
        for compound in closed_up(token, parts):
            yield from _cached_word(compound[:MAX_TERM], languages)


def _word(part: str, languages: tuple[str | None, ...]) -> tuple[Word, ...]:
    """The word that a part is; none of marks alone."""
    bare = folded(part)
    if part.isalpha() or not any(map(str.isdigit, part)):
        stems = tuple(dict.fromkeys(folded(stem(part, language)) for language in languages))
        forms = dict.fromkeys(form for form in (part, bare) if stems != (form,))
        word = Word(_of_kind(TermKind.STEM, stems), _of_kind(TermKind.WORD, forms))
        return (word,) if any(map(str.isalpha, part)) else ()
    return (Word((_term(TermKind.IDENTIFIER, bare),)),)


_cached_word = lru_cache(_CACHED_PIECES)(_word)


def _of_kind(kind: TermKind, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_term(kind, text) for text in texts)


def _bigrams(run: str) -> Iterator[Word]:
    clusters = CLUSTER.findall(run)
    pairs = ["".join(pair) for pair in pairwise(clusters)] or clusters
    yield from (Word((_term(TermKind.BIGRAM, pair),)) for pair in pairs)


def _letters(text: str) -> Iterator[str]:
    """The letters of runs that are words by themselves, since each may be asked for alone."""
    if text.isascii():
        return
    for run in filter(is_unspaced, _pieces(text)):
        clusters = CLUSTER.findall(run)
        if len(clusters) > 1:
            yield from (_term(TermKind.BIGRAM, one) for one in clusters if may_be_word(one))


def _term(kind: TermKind, text: str) -> str:
    return kind.value + text[:MAX_TERM]
