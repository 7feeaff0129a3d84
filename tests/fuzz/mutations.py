"""PDFs broken at random: good ones of several makes, with bytes flipped, spans moved and numbers changed."""

import random
import re
from collections.abc import Callable, Iterator

from tests.support.documents import Bookmark, bomb_pdf, encrypted_pdf, pdf, scanned_pdf

Mutation = Callable[[bytearray, random.Random], None]

_HUGE = (b"0", b"-1", b"2147483647", b"2147483648", b"99999999999999999999", b"1e308", b"0.00000001")
_TOKENS = (
    b"<<", b">>", b"[", b"]", b"(", b")", b"obj", b"endobj", b"stream\n", b"endstream", b"/Kids", b"/Parent",
    b"/Length", b"/Filter/FlateDecode", b"/Type/Pages", b" R ", b"%%EOF", b"xref", b"\x00", b"\xff\xfe\xd8\x00",
)  # fmt: skip


def good_pdfs() -> list[bytes]:
    """What is broken."""
    words = "The quick brown fox jumps over the lazy dog. " * 12
    outline = [Bookmark("One", 1), Bookmark("Deep", 2, under="One"), Bookmark("Last", 3)]
    return [
        pdf(words, words, words),
        pdf(*[f"Page {n}. {words}" for n in range(20)], title="Twenty", author="Nobody", outline=outline[:2]),
        pdf(words, words, words, outline=outline),
        encrypted_pdf(words, password=""),
        scanned_pdf(3),
        bomb_pdf(2),
    ]


def mutated_pdfs(count: int, seed: int) -> Iterator[bytes]:
    """``count`` broken PDFs, the same for the same seed (the good ones may differ in a date)."""
    dice = random.Random(seed)  # noqa: S311 - the same each time
    good = good_pdfs()
    for number in range(count):
        broken = bytearray(good[number % len(good)])
        for _ in range(dice.choice((1, 1, 2, 5, 20))):
            dice.choice(MUTATIONS)(broken, dice)
        yield bytes(broken)


def _span(data: bytearray, dice: random.Random) -> slice:
    start = dice.randrange(len(data) + 1)
    return slice(start, start + int(dice.expovariate(1 / 60)))


def _flip(data: bytearray, dice: random.Random) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _remove(data: bytearray, dice: random.Random) -> None:
    del data[_span(data, dice)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    where = _span(data, dice)
    data[where] = data[where] * dice.choice((2, 3, 50))


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data) // 2, len(data) + 1) :]


def _insert(data: bytearray, dice: random.Random) -> None:
    where = dice.randrange(len(data) + 1)
    data[where:where] = dice.choice(_TOKENS) * dice.choice((1, 1, 1, 1000))


def _move(data: bytearray, dice: random.Random) -> None:
    where = _span(data, dice)
    moved = bytes(data[where])
    del data[where]
    target = dice.randrange(len(data) + 1)
    data[target:target] = moved


def _renumber(data: bytearray, dice: random.Random) -> None:
    numbers = [match.span() for match in re.finditer(rb"\d+", data[:200_000])]
    if numbers:
        start, end = dice.choice(numbers)
        data[start:end] = dice.choice((*_HUGE, b"%d" % dice.randrange(1, 12)))


MUTATIONS: tuple[Mutation, ...] = (_flip, _remove, _repeat, _truncate, _insert, _move, _renumber, _renumber)
