import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lifecycle.chunk import Chunk
from services.parser.chunking.chunker import MAX_CHARACTERS, MIN_TOKENS, TARGET_TOKENS, Chunker
from services.parser.chunking.context import SHARE, title_of
from services.parser.parsed_document import Block, Content
from services.parser.tokenizer import ModelTokenizer

TOKENIZER = ModelTokenizer.load("all-MiniLM-L6-v2")
CHUNKER = Chunker(TOKENIZER)


def sentences(count: int, seed: int = 1) -> str:
    choose = random.Random(seed).choice  # noqa: S311 - only to vary the text
    words = ("river", "stone", "light", "window", "garden", "paper", "silver", "morning", "engine", "letter")
    return " ".join(f"{' '.join(choose(words) for _ in range(12)).capitalize()} {n}." for n in range(count))


def texts(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def test_chunks_hold_all_words_in_order() -> None:
    text = sentences(200)
    assert " ".join(texts(CHUNKER.chunks([Block(text)]))).split() == text.split()


def test_sentences_are_not_cut() -> None:
    assert all(chunk.text.endswith(".") for chunk in CHUNKER.chunks([Block(sentences(200))]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=3000), max_size=4), st.integers(1, 40))
def test_no_chunk_is_longer_than_the_model_reads(parts: list[str], times: int) -> None:
    chunks = CHUNKER.chunks([Block(part * times, page=1) for part in parts])
    assert TOKENIZER.count(texts(chunks)) == [chunk.token_count for chunk in chunks]
    assert all(chunk.token_count <= TARGET_TOKENS for chunk in chunks)
    assert all(len(chunk.text) <= MAX_CHARACTERS for chunk in chunks)


@pytest.mark.parametrize("text", ["x" * 50_000, "漢" * 50_000, "\n" * 50_000 + "end", "a." * 25_000])
@pytest.mark.timeout(30)
def test_text_without_breaks_is_cut_all_the_same(text: str) -> None:
    chunks = CHUNKER.chunks([Block(text)])
    assert "".join(texts(chunks)) == text.strip()


def test_a_chunk_knows_its_pages() -> None:
    pages = [Block(sentences(12, seed), page=seed) for seed in range(1, 6)]
    chunks = CHUNKER.chunks(pages)
    for chunk in chunks:
        on = [block.page for block in pages if set(chunk.text.split(". ")) & set(block.text.split(". "))]
        assert (chunk.page_start, chunk.page_end) == (on[0], on[-1])
    assert chunks[0].page_start == 1
    assert chunks[-1].page_end == 5


def test_a_sentence_that_runs_over_the_end_of_a_page_stays_whole() -> None:
    chunks = CHUNKER.chunks([Block("The king went", page=1), Block("to the river.", page=2)])
    assert texts(chunks) == ["The king went to the river."]


def test_chunks_end_at_headings() -> None:
    blocks = [Block(sentences(8, seed), headings=(name,)) for seed, name in enumerate("ABC")]
    chunks = CHUNKER.chunks(blocks)
    assert {chunk.headings for chunk in chunks} == {("A",), ("B",), ("C",)}
    assert "".join(texts(chunks[:1])) == blocks[0].text


def test_small_sections_are_joined_under_what_their_headings_have_in_common() -> None:
    blocks = [Block(f"Short part {name}.", headings=("Guide", name)) for name in "ABC"]
    (chunk,) = CHUNKER.chunks(blocks)
    assert chunk.text == "Short part A.\n\nShort part B.\n\nShort part C."
    assert chunk.headings == ("Guide",)


def test_a_small_chunk_stays_only_where_it_fits_nowhere() -> None:
    blocks = [Block(sentences(count, count), headings=(str(count),)) for count in (1, 9, 1, 1, 9, 2)]
    chunks = CHUNKER.chunks(blocks)
    for first, second in pairwise(chunks):
        if min(first.token_count, second.token_count) < MIN_TOKENS:
            assert first.token_count + second.token_count - TOKENIZER.special > TARGET_TOKENS


def test_indices_count_from_zero_without_gap() -> None:
    chunks = CHUNKER.chunks([Block(sentences(60))])
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))


def test_the_same_blocks_give_the_same_chunks() -> None:
    blocks = [Block(sentences(50, seed), page=seed + 1, headings=(str(seed // 2),)) for seed in range(6)]
    assert CHUNKER.chunks(blocks) == Chunker(ModelTokenizer.load("all-MiniLM-L6-v2")).chunks(blocks)


def test_what_the_model_has_no_token_for_makes_no_chunk() -> None:
    assert CHUNKER.chunks([Block("\u200b\u200b")]) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=400),
    st.lists(st.tuples(st.text(max_size=2000), st.lists(st.text(max_size=200), max_size=4)), max_size=4),
    st.integers(1, 20),
)
def test_no_chunk_is_cut_by_the_model_with_its_context_before_it(
    title: str, sections: list[tuple[str, list[str]]], times: int
) -> None:
    blocks = [Block(part * times, headings=tuple(headings)) for part, headings in sections]
    chunks = CHUNKER.chunks(blocks, title)
    assert TOKENIZER.count([chunk.embedded_text for chunk in chunks]) == [
        chunk.token_count for chunk in chunks
    ]
    assert all(chunk.token_count <= TARGET_TOKENS for chunk in chunks)
    contexts = TOKENIZER.count([chunk.context for chunk in chunks])
    assert all(tokens - TOKENIZER.special <= TARGET_TOKENS // SHARE for tokens in contexts)


def test_a_chunk_is_embedded_behind_the_title_and_its_path_of_headings_and_its_text_stays_as_it_is() -> None:
    (chunk,) = CHUNKER.chunks([Block("Turn it off.", headings=("Pump manual", "Repair"))], "Pump manual")
    assert chunk.embedded_text == "Pump manual\nRepair\n\nTurn it off."
    assert chunk.text == "Turn it off."


def test_a_long_title_and_a_long_heading_are_cut_at_words_and_the_innermost_heading_is_kept() -> None:
    path = ("outer " * 30, "middle " * 20, "Valves")
    (chunk,) = CHUNKER.chunks([Block("Turn it off.", headings=path)], "title " * 30)
    assert chunk.context.split("\n") == [" ".join(["title"] * 16), " ".join(["middle"] * 15), "Valves"]
    (chunk,) = CHUNKER.chunks([Block("Turn it off.")], "題" * 90)
    assert chunk.context == "題" * 32


def test_small_sections_that_are_joined_have_the_context_of_what_they_have_in_common() -> None:
    blocks = [Block(f"Short part {name}.", headings=("Guide", name)) for name in "ABC"]
    (chunk,) = CHUNKER.chunks(blocks, "The title")
    assert chunk.context == "The title\nGuide"


@pytest.mark.parametrize("separator", ["\n\n", " "])
def test_a_document_of_which_one_page_is_changed_has_hardly_other_chunks(separator: str) -> None:
    pages = [separator.join(sentences(4, seed * 10 + part) for part in range(4)) for seed in range(100)]
    before = {chunk.embedded_text for chunk in CHUNKER.chunks(map(Block, pages), "A title")}
    changed = [*pages[:50], sentences(17, 5000), *pages[51:]]
    after = [chunk.embedded_text for chunk in CHUNKER.chunks(map(Block, changed), "A title")]
    assert sum(said not in before for said in after) <= 15  # of 500 pages a hundredth


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (Content((Block("x", headings=("Heading",)),), metadata={"title": "Title"}), "Title"),
        (Content((Block("x"), Block("y", headings=("Heading", "Sub")))), "Heading"),
        (Content((Block("x"),)), "annual.report"),
    ],
)
def test_a_document_is_called_by_its_title_or_first_heading_or_file(content: Content, title: str) -> None:
    assert title_of(content, "annual.report.pdf") == title
