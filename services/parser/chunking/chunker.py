"""From blocks to chunks: as long as the model reads, broken at headings, paragraphs and sentences."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from semantic_text_splitter import TextSplitter

from services.lifecycle.chunk import Chunk, in_context
from services.parser.chunking.context import SHARE, ContextWriter
from services.parser.chunking.named_rows import named_rows
from services.parser.chunking.stretches import filled_rows, stretches
from services.parser.parsed_document import Block
from services.parser.tokenizer import ModelTokenizer

TARGET_TOKENS = 128
"""Tokens of a chunk at most, special ones and its context included; fewer where the model reads fewer. Small models
are trained on no more, and a sentence is found better in little text (docs/decisions/0005-short-chunks.md)."""

MIN_TOKENS = 32
"""A chunk whose text has less says too little to be found by; it joins a neighbour where both fit."""

MAX_CHARACTERS = 4096
"""However few tokens they make: a word of more than 100 characters is one unknown token to the model."""

COLUMNS_SHARE = 3
"""Names of columns take at most the third part of a chunk; more of them stand before each cell instead."""

_NEXT_ROW, _NEXT_PARAGRAPH = "\n", "\n\n"

_COUNTED_AT_ONCE = 512

_ROOM_STEP = 8
"""A context takes a multiple of so many tokens from the text's room: a splitter for each has 6 MB of tokenizer."""

_WINDOW = 8192
"""The splitter's time grows with the square of an unbroken text (100,000 ideographs: 8 s)."""


@dataclass(frozen=True)
class _Piece:
    text: str
    tokens: int
    pages: tuple[int, ...]
    headings: tuple[str, ...]
    context: str
    own_tokens: int
    """Those of the text, without special ones."""
    columns: str = ""
    """The lines that name the columns of the table that the text is of, and begin it."""


def _ignore_piece() -> None:
    """Ignore that some more of the text is cut."""


class Chunker:
    """Cuts documents for one model. The same blocks always give the same chunks."""

    def __init__(self, tokenizer: ModelTokenizer) -> None:
        self._tokenizer = tokenizer
        self._limit = min(tokenizer.limit, TARGET_TOKENS)
        self._contexts = ContextWriter(tokenizer, self._limit // SHARE)
        self._splitters: dict[int, TextSplitter] = {}

    def chunks(
        self, blocks: Iterable[Block], title: str = "", on_piece: Callable[[], None] = _ignore_piece
    ) -> tuple[Chunk, ...]:
        """Cut the blocks of a document into chunks, none longer with its context than the model reads.

        ``on_piece`` is told whenever some more of the text is cut.
        """
        pieces = [piece for section in _sections(blocks) for piece in self._split(section, title, on_piece)]
        return tuple(
            Chunk(
                index=index,
                text=piece.text,
                token_count=piece.tokens,
                page_start=min(piece.pages, default=None),
                page_end=max(piece.pages, default=None),
                headings=piece.headings,
                context=piece.context,
            )
            for index, piece in enumerate(self._join_small(pieces, title, on_piece))
        )

    def _split(self, section: Sequence[Block], title: str, on_piece: Callable[[], None]) -> Iterator[_Piece]:
        if self._contexts.length(section[0].columns) > self._limit // COLUMNS_SHARE:
            section = [named_rows(block) for block in section]
        text, ends, pages = _join(section)
        headings, columns = section[0].headings, section[0].columns
        context = self._contexts.write(title, headings)
        before = f"{columns}\n" if columns else ""
        around = self._contexts.length(context)
        spans = list(
            self._row_spans(text, around + self._contexts.length(columns), on_piece)
            if columns
            else self._prose_spans(text, around, on_piece)
        )
        counts = self._count([in_context(context, before + cut) for _, cut in spans], on_piece)
        for (start, cut), tokens in zip(spans, counts, strict=True):
            on_piece()
            for offset, part, size in self._fitting(in_context(context, before), start, cut, tokens):
                own = size - around - self._tokenizer.special
                if own > 0:
                    covered = pages[bisect_right(ends, offset) : bisect_left(ends, offset + len(part)) + 1]
                    seen = _first_and_last(covered)
                    yield _Piece(before + part, size, seen, headings, context, own, columns)

    def _row_spans(self, text: str, around: int, on_piece: Callable[[], None]) -> Iterator[tuple[int, str]]:
        special = self._tokenizer.special
        tokens = [count - special for count in self._count(text.split("\n"), on_piece)]
        return filled_rows(text, tokens, self._limit - special - around)

    def _prose_spans(self, text: str, around: int, on_piece: Callable[[], None]) -> Iterator[tuple[int, str]]:
        splitter = self._splitter(around)
        for begin, stretch in stretches(text):
            for start, cut in self._spans(stretch, splitter, on_piece):
                yield begin + start, cut

    def _splitter(self, around: int) -> TextSplitter:
        """Return a splitter into texts that leave room for the tokens around them; it counts no special ones."""
        capacity = self._limit - self._tokenizer.special - -(-around // _ROOM_STEP) * _ROOM_STEP
        if capacity not in self._splitters:
            splitter = TextSplitter.from_huggingface_tokenizer(self._tokenizer.tokenizer, max(1, capacity))
            self._splitters[capacity] = splitter
        return self._splitters[capacity]

    def _count(self, texts: Sequence[str], on_piece: Callable[[], None]) -> list[int]:
        """Tokens of each text, a part of them at a time: what the tokenizer makes is far larger than the texts."""
        counts: list[int] = []
        for start in range(0, len(texts), _COUNTED_AT_ONCE):
            counts += self._tokenizer.count(texts[start : start + _COUNTED_AT_ONCE])
            on_piece()
        return counts

    @staticmethod
    def _spans(text: str, splitter: TextSplitter, on_piece: Callable[[], None]) -> Iterator[tuple[int, str]]:
        """Cut a text at its best breaks; each part with its offset."""
        start = 0
        while start < len(text):
            on_piece()
            window = text[start : start + _WINDOW]
            cuts = splitter.chunk_indices(window)
            # The last part ends where the window does, not where the text would have it end.
            ends_early = start + _WINDOW < len(text) and len(cuts) > 1
            step = cuts.pop()[0] if ends_early else len(window)
            yield from ((start + offset, cut) for offset, cut in cuts)
            start += step

    def _fitting(self, lead_in: str, offset: int, text: str, tokens: int) -> Iterator[tuple[int, str, int]]:
        """Halve what is too long after all; each part with its offset and the tokens of ``lead_in`` and itself."""
        if len(text) < 2 or (len(text) <= MAX_CHARACTERS and tokens <= self._limit):
            yield offset, text, tokens
            return
        middle = text.rfind(" ", 1, len(text) // 2) + 1 or len(text) // 2
        for start, half in ((0, text[:middle]), (middle, text[middle:])):
            lead = len(half) - len(half.lstrip())
            if part := half.strip():
                tokens = self._tokenizer.count([lead_in + part])[0]
                yield from self._fitting(lead_in, offset + start + lead, part, tokens)

    def _join_small(self, pieces: list[_Piece], title: str, on_piece: Callable[[], None]) -> list[_Piece]:
        least = MIN_TOKENS - self._tokenizer.special
        index = 0
        while index < len(pieces):
            on_piece()
            is_small = pieces[index].own_tokens < least
            joined = self._with_neighbour(pieces, index, title) if is_small else None
            if joined is None:
                index += 1
            else:
                index, piece = joined
                pieces[index : index + 2] = [piece]
        return pieces

    def _with_neighbour(self, pieces: list[_Piece], index: int, title: str) -> tuple[int, _Piece] | None:
        """Join a piece with the neighbour whose headings have more in common with its own, if it fits.

        The answer is the index of the first of the two, and what they make together.
        """
        starts = [start for start in (index - 1, index) if 0 <= start < len(pieces) - 1]
        starts.sort(key=lambda start: -len(_common(pieces[start].headings, pieces[start + 1].headings)))
        together = ((start, self._together(pieces[start], pieces[start + 1], title)) for start in starts)
        return next(((start, piece) for start, piece in together if piece), None)

    def _together(self, first: _Piece, second: _Piece, title: str) -> _Piece | None:
        is_one_table = bool(first.columns) and first.columns == second.columns
        rest = second.text.removeprefix(f"{first.columns}\n") if is_one_table else second.text
        text = f"{first.text}{_NEXT_ROW if is_one_table else _NEXT_PARAGRAPH}{rest}"
        own = first.own_tokens + second.own_tokens
        if own > self._limit:
            return None
        headings = _common(first.headings, second.headings)
        if headings in (first.headings, second.headings):
            headings = max(first, second, key=lambda piece: piece.own_tokens).headings
        context = self._contexts.write(title, headings)
        tokens = self._tokenizer.count([in_context(context, text)])[0]
        if tokens > self._limit or len(text) > MAX_CHARACTERS:
            return None
        pages = _first_and_last(first.pages + second.pages)
        return _Piece(text, tokens, pages, headings, context, own, first.columns if is_one_table else "")


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    for _, section in groupby(blocks, key=lambda block: (block.headings, block.columns)):
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
    if block.columns:
        return _NEXT_ROW
    runs_on = before.page != block.page and before.text[-1:].isalpha() and block.text[:1].islower()
    return " " if runs_on else _NEXT_PARAGRAPH


def _first_and_last(pages: Iterable[int | None]) -> tuple[int, ...]:
    known = [page for page in pages if page is not None]
    return (min(known), max(known)) if known else ()


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return first[:same]
