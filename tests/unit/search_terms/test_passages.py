from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from services.lifecycle.chunk import Chunk
from services.search_terms.passages import (
    MAX_CHARACTERS,
    MAX_TOKENS,
    ChunkText,
    names_of_document,
    passages,
    texts_of,
)

QUICK = settings(max_examples=50, deadline=None)


@dataclass(frozen=True)
class Piece:
    index: int
    text: str
    token_count: int
    headings: Sequence[str] = ()


def in_a_row(counts: Sequence[int]) -> list[Piece]:
    return [Piece(index, f"text {index}", count) for index, count in enumerate(counts)]


def spans(chunks: Sequence[ChunkText]) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in passages(chunks, ())]


def test_two_chunks_of_usual_length_are_a_passage_and_the_last_is_one_alone() -> None:
    assert spans(in_a_row([128] * 5)) == [(0, 1), (2, 3), (4, 4)]


def test_short_chunks_are_more_to_a_passage() -> None:
    assert spans(in_a_row([60, 60, 60, 60, 60])) == [(0, 3), (4, 4)]


def test_a_chunk_of_a_model_that_reads_more_is_a_passage_by_itself() -> None:
    assert spans(in_a_row([512, 10, 512])) == [(0, 0), (1, 1), (2, 2)]


def test_chunks_that_are_no_neighbours_share_no_passage() -> None:
    assert spans([Piece(0, "a", 10), Piece(1, "b", 10), Piece(4, "c", 10)]) == [(0, 1), (4, 4)]


def test_long_texts_of_few_tokens_are_not_joined() -> None:
    assert spans([Piece(0, "x" * MAX_CHARACTERS, 3), Piece(1, "b", 10)]) == [(0, 0), (1, 1)]


def test_title_and_headings_count_once() -> None:
    chunks = [Piece(0, "a", 10, ("Book", "One")), Piece(1, "b", 10, ("Book", "Two"))]
    (passage,) = passages(chunks, ["Book"])
    assert passage.texts == ("a", "b", "Book", "One", "Two")
    assert texts_of(chunks[:1], ()) == ("a", "Book", "One")


def test_the_chunks_of_a_document_can_be_joined() -> None:
    chunk = Chunk(index=0, text="a", token_count=3, page_start=None, page_end=None, headings=("One",))
    assert [one.texts for one in passages([chunk], ["T"])] == [("a", "T", "One")]


@QUICK
@given(st.lists(st.integers(1, 300), max_size=30))
def test_every_chunk_is_in_one_passage_and_none_is_too_long(counts: list[int]) -> None:
    chunks = in_a_row(counts)
    found = spans(chunks)
    assert [index for first, last in found for index in range(first, last + 1)] == list(range(len(chunks)))
    assert all(first == last or sum(counts[first : last + 1]) <= MAX_TOKENS for first, last in found)


def test_a_document_is_called_by_its_title_and_by_its_file_unless_that_is_one_of_a_row() -> None:
    assert names_of_document("Bees", "report KX-4471-B.pdf") == ("Bees", "report KX-4471-B")
    assert names_of_document(None, "4711.pdf") == ("4711",)
    assert names_of_document(None, "17.pdf") == names_of_document("", None) == ()
    assert names_of_document("bees", "bees.txt") == ("bees",)
