import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search_terms.bm25 import Statistics, query_terms
from services.search_terms.highlights import highlights
from services.search_terms.terms import WantedTerms, count_terms, query_words

QUICK = settings(max_examples=50, deadline=None)

LANGUAGES = ("en", "de", "fr", "ru", "ar", "he", "zh", "ja", "th", "ko")
TEXT = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("abz09-_.§# '@東京かカกนำ้한글éß\u0301\u200dｶﾞ㌔ﷺﬁ")
)


def wanted(query: str) -> set[str]:
    return set(query_terms(query_words(query, LANGUAGES), Statistics(0, {})).weights)


def marked(query: str, text: str, language: str | None) -> list[str]:
    return [text[start:end] for start, end in highlights(text, WantedTerms(wanted(query), language))]


@pytest.mark.parametrize(
    ("query", "text", "language", "expected"),
    [
        ("running shoes", "He runs in a SHOE; running!", "en", ["runs", "SHOE", "running"]),
        ("Häuser", "Das Haus, HÄUSER und Hauser", "de", ["Haus", "HÄUSER", "Hauser"]),
        ("домами", "У дома и в доме", "ru", ["дома", "доме"]),
        ("الكتب", "قرأ كِتَابٌ الكتب كتب", "ar", ["الكتب", "كتب"]),
        ("שלום", "שָׁלוֹם, עולם", "he", ["שָׁלוֹם"]),
        ("东京", "我住在东京都", "zh", ["东京"]),
        ("水", "水道の水", "ja", ["水", "水"]),
        ("東京都庁", "私は東京都庁に行く", "ja", ["東京都庁"]),
        ("ガイド", "旅行ｶﾞｲﾄﾞです", "ja", ["ｶﾞｲﾄﾞ"]),
        ("キロ", "五㌔", "ja", ["㌔"]),
        ("บ้าน", "ไปบ้านน้ำ", "th", ["บ้าน"]),
        ("น้ำ", "ไปบ้านน้ำแข็ง", "th", ["น้ำ"]),
        ("서울", "서울에서 왔다", "ko", ["서울"]),
        ("ERR_CONN_RESET", "net::ERR_CONN_RESET on reset", "en", ["ERR_CONN_RESET", "reset"]),
        ("reset", "net::ERR_CONN_RESET", "en", ["RESET"]),
        ("KX-4471-B", "ＫＸ－４４７１－Ｂ, kx4471b, 4471", "en", ["ＫＸ－４４７１－Ｂ", "kx4471b", "4471"]),
        ("§ 12a", "nach §12a und § 12a, nicht § 13", "de", ["§12a", "§ 12a"]),
        ("file", "an oﬃce ﬁle", "en", ["ﬁle"]),
        ("ABC", "ｘ ＡＢＣ", "en", ["ＡＢＣ"]),
        ("homme", "l’homme", "fr", ["homme"]),
        ("email", "an e‑mail", "en", ["e‑mail"]),
        ("bees", "wasps", "en", []),
        ("?!", "what?!", "en", []),
    ],
)
def test_words_are_marked_where_they_stand(query: str, text: str, language: str, expected: list[str]) -> None:
    assert marked(query, text, language) == expected


def test_offsets_are_those_of_the_text_as_it_stands_however_it_is_encoded() -> None:
    text = unicodedata.normalize("NFD", "ﬁn: die Häuser, 한국어 글")
    assert marked("Haus", text, "de") == [unicodedata.normalize("NFD", "Häuser")]
    assert marked("한국", text, "de") == [unicodedata.normalize("NFD", "한국")]
    assert highlights("𝔘𝔫𝔦 Haus", WantedTerms(wanted("Haus"), "de")) == [(4, 8)]


@QUICK
@given(TEXT, TEXT, st.sampled_from([None, *LANGUAGES]))
def test_spans_are_in_order_apart_and_within_the_text(text: str, query: str, language: str | None) -> None:
    spans = highlights(text, WantedTerms(wanted(query + text[:5]), language))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] < second[0] for first, second in pairwise(spans))


@QUICK
@given(TEXT, st.sampled_from([None, *LANGUAGES]))
def test_a_term_of_a_text_is_marked_in_it_and_another_is_not(text: str, language: str | None) -> None:
    terms = count_terms([text], language).counts
    assert all(highlights(text, WantedTerms({term}, language)) for term in terms)
    assert highlights(text, WantedTerms({"sneverthere"}, language)) == []


@QUICK
@given(TEXT, st.sampled_from([None, *LANGUAGES]))
def test_what_is_marked_has_a_word_of_the_query(text: str, language: str | None) -> None:
    query = wanted(text[:3])
    for start, end in highlights(text, WantedTerms(query, language)):
        assert count_terms([text[start:end]], language).counts.keys() & query
