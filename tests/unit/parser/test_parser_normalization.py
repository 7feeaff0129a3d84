import pytest

from services.parser.normalization import clean, has_text, join_lines, mend_page, tidy_lines


@pytest.mark.parametrize(
    ("extracted", "expected"),
    [
        ("exam-\nple of it", "example of it"),
        ("exam\ufffeple of it", "example of it"),
        ("in\u00adter", "inter"),
        ("state-of-the\ufffeart", "state-of-the-art"),
        ("Jean-\nPaul", "Jean-Paul"),
        ("COVID-\n19", "COVID-19"),
        ("\ufb01ne \ufb02ow o\ufb03ce", "fine flow office"),
        ("½ and ² stay", "½ and ² stay"),
        ("a  b\u00a0c\r\nd", "a b c d"),
    ],
)
def test_words_of_a_printed_page_are_made_whole(extracted: str, expected: str) -> None:
    assert join_lines(mend_page(extracted)) == expected


def test_full_lines_of_a_page_become_a_paragraph_and_short_ones_stay_lines() -> None:
    page = "A heading\nThis line is as long as the page is wide\nand this goes on to the end of it.\nNext one"
    assert join_lines(mend_page(page)) == (
        "A heading\nThis line is as long as the page is wide and this goes on to the end of it.\nNext one"
    )


def test_lines_of_scripts_without_spaces_are_joined_without_one() -> None:
    line = "文字之间没有空格" * 5
    assert join_lines(mend_page(f"{line}\n{line}\n因为如此。")) == f"{line}{line}因为如此。"


def test_what_postgresql_refuses_is_removed() -> None:
    assert clean("a\x00b\ud800c\udfffd") == "abcd"


def test_many_blank_lines_become_one() -> None:
    assert tidy_lines("a  \n \n\n\n\tb\r\n") == "a\n\n\tb"


def test_signs_alone_are_no_text() -> None:
    assert not has_text(" .,-•\u200b")
    assert has_text("漢")


@pytest.mark.parametrize("unit", ["-", "a'", "ab-\n", "\ufffe", " ", "\n ", "a\u00ad"])
@pytest.mark.timeout(20)
def test_time_grows_with_the_length_of_a_page_and_not_with_its_square(unit: str) -> None:
    text = unit * (100_000 // len(unit)) + "x"
    assert join_lines(mend_page(text)).endswith("x")
    assert tidy_lines(text).endswith("x")
