"""Signs of symbol fonts, which stand at private code points, as the characters that they show."""

_FIRST = 0xF020
_SYMBOL = (
    " !∀#∃%&∋()*+,-./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}~"
    + "\ufffd" * 33
    + "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…|—↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑"  # noqa: RUF001 - the font's signs
    + "⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\ufffd⟩∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
)
"""The encoding of Adobe's Symbol, from 0x20 on."""

_OF_LISTS = {
    0xF076: "❖", 0xF0A7: "▪", 0xF0A8: "□", 0xF0D8: "➢", 0xF0E0: "→", 0xF0FC: "✓", 0xF0FE: "☑"
}  # fmt: skip
"""Where Wingdings has what marks the items of lists, which is met far more often than Symbol's sign."""

SHOWN = {
    _FIRST + offset: sign for offset, sign in enumerate(_SYMBOL) if sign != "\ufffd"
} | _OF_LISTS  # fmt: skip
"""For ``str.translate``."""


def as_read(text: str) -> str:
    """Return a text with the signs of symbol fonts as a reader sees them."""
    return text.translate(SHOWN)
