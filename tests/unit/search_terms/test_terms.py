import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search_terms.folding import folded, normalized
from services.search_terms.identifiers import is_identifier
from services.search_terms.stemming import LANGUAGES, stem
from services.search_terms.terms import MAX_TERM, TermKind, WantedTerms, Word, count_terms, query_words
from services.search_terms.tokenization import CLUSTER, TOKEN

QUICK = settings(max_examples=50, deadline=None)

EVERYWHERE = ("en", "de", "fr", "ru", "ar", "he", "zh", "ja", "th", "ko", "hi", "uk", "vi", "el", "tr")

TEXT = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("abz09-_.§# '@東京かカกนำ้한글\u1112\u1161\u11abéß\u0301\u200dｶﾞ㌔ﷺﬁ")
)


def terms(text: str, language: str | None = None) -> set[str]:
    return set(count_terms([text], language).counts)


def finds(query: str, text: str, language: str | None) -> bool:
    """True if every word of the query is in the text by what all its forms have in common."""
    had = terms(text, language)
    return all(had.intersection(word.keys) for word in query_words(query, EVERYWHERE))


@pytest.mark.parametrize(
    ("query", "text", "language"),
    [
        ("running", "He runs.", "en"),
        ("run", "Running and running", "en"),
        ("connection", "were connected", "en"),
        ("Häuser", "Das Haus am See", "de"),
        ("Haus", "zwei HÄUSER", "de"),
        ("Hauser", "zwei Häuser", "de"),
        ("Strasse", "die Straße", "de"),
        ("STRASSE", "the Straße", "en"),
        ("homme", "l'homme", "fr"),
        ("resume", "un résumé", "fr"),
        ("домами", "у старого дома", "ru"),
        ("елка", "ёлки", "ru"),
        ("الكتب", "قرأ كتب", "ar"),
        ("كتاب", "كِتَابٌ", "ar"),
        ("שלום", "שָׁלוֹם עולם", "he"),
        ("צהל", "צה״ל", "he"),
        ("东京", "我住在东京都", "zh"),
        ("水", "自来水管", "zh"),
        ("東京", "東京都に住む", "ja"),
        ("ガイド", "旅行ｶﾞｲﾄﾞ", "ja"),
        ("キロ", "五㌔", "ja"),
        ("บ้าน", "ไปบ้านแล้ว", "th"),
        ("น้ำ", "ไปบ้านน้ำแข็ง", "th"),
        ("서울", "서울에서 왔다", "ko"),
        ("책", "책을 읽다", "ko"),
        ("हिन्दी", "यह हिन्दी है", "hi"),
        ("Москва", "a trip to Москву", "en"),
        ("Tanaka", "田中 (Tanaka) さん", "ja"),
        ("ΑΘΗΝΑ", "στην Αθήνα", "el"),
        ("istanbul", "İSTANBUL", "tr"),
        ("office", "the oﬃces", "en"),
        ("email", "an E-Mail", "de"),
        ("e-mail", "an e\u2011mail", "en"),
        ("345", "٣٤٥", "ar"),
        ("USA", "in the U.S.A.", "en"),
        ("OBrien", "Mr O’Brien's", "en"),
    ],
)
def test_a_word_is_found_in_its_other_forms_and_spellings(query: str, text: str, language: str) -> None:
    assert finds(query, text, language)


@pytest.mark.parametrize(
    "name",
    [
        "ERR_CONN_RESET", "KX-4471-B", "§ 12a", "2.3.1-rc1", "someone@example.org", "report_final.tar.gz",
        "#4711", "C++", "C#", "192.168.0.1", "AT&T", "§§ 12a"[1:], "ＫＸ－４４７１－Ｂ",
    ],
)  # fmt: skip
def test_an_identifier_is_a_term_as_it_stands_and_meets_itself_in_any_language(name: str) -> None:
    for language in (None, "en", "de", "ja"):
        assert finds(name, f"Siehe ({name}), bitte.", language)
    whole = [key for word in query_words(name, []) for key in word.keys if key[0] == TermKind.IDENTIFIER]
    assert normalized(name).replace(" ", "") in {key[1:] for key in whole}


def test_an_identifier_is_told_from_another_one_with_the_same_parts() -> None:
    (first, *_), (second, *_) = query_words("KX-4471-B", []), query_words("4471-KX-B", [])
    assert not set(first.keys) & set(second.keys)


def test_a_section_is_the_same_with_and_without_a_space() -> None:
    assert terms("§12a") >= {"i§12a", "i12a"}
    assert terms("§ 12a") == terms("§12a") == terms("§\u00a012A")


def test_parts_of_an_identifier_are_words_and_its_closed_up_form_too() -> None:
    assert terms("KX-4471-B") == {"ikx-4471-b", "ikx4471b", "skx", "i4471", "sb"}
    assert "ikx4471b" in terms("KX4471B")


def test_digits_are_never_closed_up() -> None:
    assert "i1234" not in terms("pages 12-34")


def test_an_apostrophe_leaves_no_single_letters() -> None:
    assert terms("John's", "en") == {"sjohn", "wjohns"}
    assert terms("l'homme", "fr") == {"shomm", "whomme", "slhomm", "wlhomme"}


def test_the_word_itself_is_kept_beside_its_stem_and_with_its_accents() -> None:
    assert terms("Häuser", "de") == {"shaus", "whäuser", "whauser"}
    assert terms("run", "en") == {"srun"}


def test_a_query_has_the_stems_of_every_language_of_the_texts() -> None:
    (word,) = query_words("running", ["en", "de"])
    assert word == Word(("srun", "srunning"), ("wrunning",))


def test_a_vietnamese_word_keeps_its_tone_and_is_found_without() -> None:
    assert terms("má", "vi") == {"sma", "wmá"}


def test_repeats_are_counted_and_every_word_makes_a_text_longer() -> None:
    counted = count_terms(["One fish, two fish.", "Red fish"], "en")
    assert counted.counts["sfish"] == 3
    assert counted.length == 6
    assert count_terms(["fish fish fish"], "en").length == 3


def test_a_letter_that_only_looks_accented_stays() -> None:
    assert folded("мой") != folded("мои")
    assert folded("ёлка") == folded("елка")


def test_a_language_without_a_stemmer_is_not_stemmed_as_its_neighbour() -> None:
    assert terms("гарними", "uk") == {"sгарними"}
    assert terms("гарними", "ru") > {"wгарними"}


def test_what_follows_a_sign_and_goes_on_is_no_number() -> None:
    assert not any(term.startswith("i#") for term in terms("#1" + "0" * 40))


@QUICK
@given(TEXT, st.sampled_from([None, *sorted(LANGUAGES), "zh", "uk"]))
def test_any_text_finds_itself(text: str, language: str | None) -> None:
    had = terms(text, language)
    for word in query_words(text, [language]):
        assert had.intersection(word.keys)


@QUICK
@given(TEXT, st.sampled_from([None, "en", "de", "fr", "ru", "ja", "ko", "th"]))
def test_how_a_text_is_encoded_and_written_makes_no_difference(text: str, language: str | None) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert terms(composed, language) == terms(decomposed, language)


@QUICK
@given(st.text("abcdeginrsty", min_size=1, max_size=12), st.sampled_from([None, "en", "fr", "ru", "vi"]))
def test_a_word_has_the_same_terms_alone_and_beside_others(word: str, language: str | None) -> None:
    assert terms(word, language) == terms(f"{word}/東", language) - {"b東"}


@QUICK
@given(TEXT)
def test_normalising_and_folding_twice_is_doing_it_once(text: str) -> None:
    assert folded(folded(normalized(text))) == folded(normalized(text))


@QUICK
@given(TEXT)
def test_tokens_are_the_same_in_a_text_and_in_its_pieces(text: str) -> None:
    assert TOKEN.findall(text) == [token for piece in text.split() for token in TOKEN.findall(piece)]


@QUICK
@given(st.text("กขนบำ้ีาไ한글カ\u3099ｶﾞ東"))
def test_letters_of_a_run_are_the_same_before_and_after_normalising(run: str) -> None:
    apart = "".join(normalized(cluster) for cluster in CLUSTER.findall(run))
    assert apart == normalized(run)


@QUICK
@given(TEXT)
def test_no_term_is_longer_than_allowed_or_empty(text: str) -> None:
    assert all(1 < len(term) <= MAX_TERM + 1 and term[0] in set(TermKind) for term in terms(text * 50))


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 30_000, "a-" * 15_000, "1." * 15_000, "§ " * 15_000, "#1" * 15_000, "++" * 15_000, "a'" * 15_000,
        "東" * 30_000, "\u0301" * 30_000, "น้" * 15_000, "\u200d" * 30_000, "\u1112\u1161" * 15_000, "ﷺ" * 10_000,
        "_" * 30_000, "a\u0301\u0327" * 30_000,
    ],
    ids=lambda text: repr(text[:2]),
)  # fmt: skip
def test_a_hostile_text_takes_no_longer_than_its_length_says(hostile: str) -> None:
    began = time.process_time()
    found = count_terms([hostile], "en").counts
    query_words(hostile[:10_000], EVERYWHERE)
    assert time.process_time() - began < 2
    assert len(found) < 300


def test_threads_make_the_same_stems() -> None:
    words = [
        f"{first}{last}" for first in ("connect", "walk", "hous") for last in ("ing", "ed", "es", "ions")
    ]
    expected = [stem(word, language) for word in words for language in ("en", "de", "fr")]
    with ThreadPoolExecutor(4) as threads:
        rounds = threads.map(
            lambda _: [stem(word, language) for word in words for language in ("en", "de", "fr")], range(200)
        )
        assert all(got == expected for got in rounds)


@QUICK
@given(st.lists(TEXT, max_size=3), st.sampled_from([None, "en", "de", "ja", "th"]), st.randoms())
def test_wanted_terms_are_counted_alone_as_they_are_among_all(
    texts: list[str], language: str | None, dice: Random
) -> None:
    counts = count_terms(texts, language).counts
    wanted = {term for term in counts if dice.random() < 0.3} | {"snever"}
    assert WantedTerms(wanted, language).count(texts) == {
        term: counts[term] for term in wanted & counts.keys()
    }


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("KX-4471-B", True), (" ERR_CONN_RESET ", True), ("kx4471b", True), ("2.3.1-rc1", True),
        ("KX 4471", False), ("4471", False), ("2026-11-28", False), ("well-known", False), ("bees", False),
    ],
)  # fmt: skip
def test_an_identifier_is_one_name_with_letters_and_digits_or_underscores(query: str, is_one: bool) -> None:
    assert is_identifier(query) is is_one
