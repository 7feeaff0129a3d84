import pytest

from services.search_terms.language import SAMPLED_PARTS, language_of

SENTENCES = {
    "en": "The weather is fine today, and we shall go for a walk in the woods.",
    "de": "Das Wetter ist heute schön, und wir gehen im Wald spazieren.",
    "fr": "Il fait beau aujourd'hui et nous allons nous promener dans la forêt.",
    "es": "El tiempo es bueno hoy y vamos a dar un paseo por el bosque.",
    "cs": "Dnes je venku krásné počasí a půjdeme na procházku do lesa.",
    "ru": "Сегодня хорошая погода, и мы пойдём гулять в лес.",
    "uk": "Сьогодні гарна погода, і ми підемо гуляти до лісу.",
    "ar": "الطقس جميل اليوم وسوف نذهب في نزهة في الغابة.",
    "he": "מזג האוויר יפה היום ואנחנו הולכים לטייל ביער.",
    "zh": "今天天气很好，我们去森林里散步。",
    "ja": "今日は天気がいいので、森へ散歩に行きます。",
    "ko": "오늘은 날씨가 좋아서 숲으로 산책을 갑니다.",
    "th": "วันนี้อากาศดีเราจะไปเดินเล่นในป่า",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert language_of([SENTENCES[language]]) == language


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["4711", "12.00"],
        ["ERR_CONN_RESET KX-4471-B 0xff"],
        ["Invoice"],
        ["Total Date Customer number Amount"],
        ["\x00\ufffe" * 50],
    ],
)
def test_what_says_too_little_has_no_language(texts: list[str]) -> None:
    assert language_of(texts) is None


def test_most_of_a_document_decides_and_not_its_first_page() -> None:
    assert language_of([SENTENCES["en"], *[SENTENCES["de"]] * 9]) == "de"


def test_the_sample_reaches_to_the_end_of_a_long_document_and_stays_short() -> None:
    assert language_of([*["12 34"] * 1000, *[SENTENCES["ru"] * 1000] * 1000]) == "ru"
    assert SAMPLED_PARTS == 8
