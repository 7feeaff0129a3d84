"""The language of a document, told from a sample of its text."""

from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

SAMPLE_CHARACTERS = 2_000
SAMPLED_PARTS = 8
LEAST_LETTERS = 24
"""Bytes of letters in UTF-8: an ideograph says as much as three letters."""
LEAST_PROBABILITY = 0.6

_STANDARD = {
    "ary": "ar", "arz": "ar", "grc": "el", "hbo": "he", "kik": "ki", "pcm": "en", "uzs": "uz", "wuu": "zh",
    "yue": "zh",
}  # fmt: skip
"""Varieties that the model tells apart, by the language whose stemmer and reader they share."""


def language_of(texts: Sequence[str]) -> str | None:
    """Return the ISO 639-1 code of the language that most of a document is in, or None where that is not sure.

    ``texts`` are the document's chunks in their order; a few of them are looked at, from all over it, since a
    title page or a list of sources may be in another language than what they belong to. The first call loads the
    model: about a second of CPU and 90 MB.
    """
    sample = _sample(texts)
    if len("".join(filter(str.isalpha, sample)).encode("utf-8", "ignore")) < LEAST_LETTERS:
        return None
    probabilities: dict[str, float] = {}
    for label, probability in _identifier().rank(sample):
        language = _STANDARD.get(label, label)
        probabilities[language] = probabilities.get(language, 0.0) + probability
    language = max(probabilities, key=probabilities.__getitem__)
    return language if len(language) == 2 and probabilities[language] >= LEAST_PROBABILITY else None


def _sample(texts: Sequence[str]) -> str:
    step = max(1, len(texts) // SAMPLED_PARTS)
    parts = texts[step // 2 :: step][:SAMPLED_PARTS]
    return "\n".join(part[: SAMPLE_CHARACTERS // max(1, len(parts))] for part in parts)


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
