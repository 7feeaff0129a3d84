"""From blocks to chunks: as long as the model reads, broken at headings, paragraphs and sentences."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from semantic_text_splitter import TextSplitter

from services.lifecycle.chunk import Chunk
from services.parser.parsed_document import Block
from services.parser.tokenizer import ModelTokenizer

TARGET_TOKENS = 128
"""Tokens of a chunk at most, special ones included; fewer where the model reads fewer. Small models are trained
on no more, and a sentence is found better in less text around it (docs/decisions/0005-short-chunks.md)."""

MIN_TOKENS = 32
"""A chunk with less says too little to be found by; it joins a neighbour where both fit."""

MAX_CHARACTERS = 4096
"""However few tokens they make: a word of more than 100 characters is one unknown token to the model."""

_COUNTED_AT_ONCE = 512

_WINDOW = 8192
"""The splitter's time grows with the square of an unbroken text (100,000 ideographs: 8 s)."""


@dataclass(frozen=True)
class _Piece:
    text: str
    tokens: int
    pages: tuple[int, ...]
    headings: tuple[str, ...]


class Chunker:
    """Cuts documents for one model. The same blocks always give the same chunks."""

    def __init__(self, tokenizer: ModelTokenizer) -> None:
        self._tokenizer = tokenizer
        # The splitter counts without special tokens.
        self._limit = min(tokenizer.limit, TARGET_TOKENS)
        capacity = self._limit - tokenizer.special
        self._splitter = TextSplitter.from_huggingface_tokenizer(tokenizer.tokenizer, capacity)

    def chunks(self, blocks: Iterable[Block]) -> tuple[Chunk, ...]:
        """Cut the blocks of a document into chunks, none longer than the model reads."""
        pieces = [piece for section in _sections(blocks) for piece in self._split(section)]
        return tuple(
            Chunk(
                index=index,
                text=piece.text,
                token_count=piece.tokens,
                page_start=min(piece.pages, default=None),
                page_end=max(piece.pages, default=None),
                headings=piece.headings,
            )
            for index, piece in enumerate(self._join_small(pieces))
        )

    def _split(self, section: Sequence[Block]) -> Iterator[_Piece]:
        text, ends, pages = _join(section)
        spans = list(self._spans(text))
        counts = self._count([cut for _, cut in spans])
        for (start, cut), tokens in zip(spans, counts, strict=True):
            for offset, part, size in self._fitting(start, cut, tokens):
                if size > self._tokenizer.special:
                    covered = pages[bisect_right(ends, offset) : bisect_left(ends, offset + len(part)) + 1]
                    yield _Piece(part, size, _first_and_last(covered), section[0].headings)

    def _count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, a part of them at a time: what the tokenizer makes is far larger than the texts."""
        parts = (texts[start : start + _COUNTED_AT_ONCE] for start in range(0, len(texts), _COUNTED_AT_ONCE))
        return [tokens for part in parts for tokens in self._tokenizer.count(part)]

    def _spans(self, text: str) -> Iterator[tuple[int, str]]:
        """Cut a text at its best breaks; each part with its offset."""
        start = 0
        while start < len(text):
            window = text[start : start + _WINDOW]
            cuts = self._splitter.chunk_indices(window)
            # The last part ends where the window does, not where the text would have it end.
            ends_early = start + _WINDOW < len(text) and len(cuts) > 1
            step = cuts.pop()[0] if ends_early else len(window)
            yield from ((start + offset, cut) for offset, cut in cuts)
            start += step

    def _fitting(self, offset: int, text: str, tokens: int) -> Iterator[tuple[int, str, int]]:
        """Halve what is too long after all; each part with its offset and tokens."""
        if len(text) < 2 or (len(text) <= MAX_CHARACTERS and tokens <= self._limit):
            yield offset, text, tokens
            return
        middle = text.rfind(" ", 1, len(text) // 2) + 1 or len(text) // 2
        for start, half in ((0, text[:middle]), (middle, text[middle:])):
            lead = len(half) - len(half.lstrip())
            if part := half.strip():
                yield from self._fitting(offset + start + lead, part, self._tokenizer.count([part])[0])

    def _join_small(self, pieces: list[_Piece]) -> list[_Piece]:
        index = 0
        while index < len(pieces):
            joined = self._with_neighbour(pieces, index) if pieces[index].tokens < MIN_TOKENS else None
            if joined is None:
                index += 1
            else:
                index, piece = joined
                pieces[index : index + 2] = [piece]
        return pieces

    def _with_neighbour(self, pieces: list[_Piece], index: int) -> tuple[int, _Piece] | None:
        """Join a piece with the neighbour whose headings have more in common with its own, if it fits.

        The answer is the index of the first of the two, and what they make together.
        """
        starts = [start for start in (index - 1, index) if 0 <= start < len(pieces) - 1]
        starts.sort(key=lambda start: -len(_common(pieces[start].headings, pieces[start + 1].headings)))
        together = ((start, self._together(pieces[start], pieces[start + 1])) for start in starts)
        return next(((start, piece) for start, piece in together if piece), None)

    def _together(self, first: _Piece, second: _Piece) -> _Piece | None:
        text = f"{first.text}\n\n{second.text}"
        if first.tokens + second.tokens > self._limit + self._tokenizer.special:
            return None
        tokens = self._tokenizer.count([text])[0]
        if tokens > self._limit or len(text) > MAX_CHARACTERS:
            return None
        common = _common(first.headings, second.headings)
        if common in (first.headings, second.headings):
            common = max(first, second, key=lambda piece: piece.tokens).headings
        return _Piece(text, tokens, _first_and_last(first.pages + second.pages), common)


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    for _, section in groupby(blocks, key=lambda block: block.headings):
        yield list(section)


def _join(section: Sequence[Block]) -> tuple[str, list[int], list[int | None]]:
    """The text of a section; for each of its blocks, where it ends therein and its page."""
    parts: list[str] = []
    ends: list[int] = []
    length = 0
    for before, block in zip((None, *section), section, strict=False):
        part = f"{_separator(before, block)}{block.text}" if before else block.text
        parts.append(part)
        length += len(part)
        ends.append(length)
    return "".join(parts), ends, [block.page for block in section]


def _separator(before: Block, block: Block) -> str:
    """A space where a sentence runs on over the end of a page, else the end of a paragraph."""
    runs_on = before.page != block.page and before.text[-1:].isalpha() and block.text[:1].islower()
    return " " if runs_on else "\n\n"


def _first_and_last(pages: Iterable[int | None]) -> tuple[int, ...]:
    known = [page for page in pages if page is not None]
    return (min(known), max(known)) if known else ()


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return first[:same]
