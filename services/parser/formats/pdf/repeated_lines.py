"""Lines that stand at the head or the foot of most pages: said once, on the first page that has them."""

import re
from collections import Counter
from collections.abc import Sequence

_AT_EACH_END = 2
_FEWEST_PAGES = 4
_SHARE_OF_PAGES = 0.5
_FEWEST_LINES = 6
"""Of a page on which lines are left out: on shorter ones what repeats may be all that there is."""
_LONGEST = 120
_NUMBER = re.compile(r"\d+")


def without_repeated(pages: Sequence[str]) -> list[str]:
    """Return the pages, each as text in lines, without heads and feet that were there before."""
    ends = [_ends(page) for page in pages]
    counts = Counter(line for page in ends for line in {line for _, line in page})
    often = max(_FEWEST_PAGES, len(pages) * _SHARE_OF_PAGES)
    seen: set[str] = set()
    kept: list[str] = []
    for page, lines_at_ends in zip(pages, ends, strict=True):
        repeated = [(number, line) for number, line in lines_at_ends if counts[line] >= often]
        left_out = {number for number, line in repeated if line in seen}
        seen |= {line for _, line in repeated}
        kept.append(
            "\n".join(text for number, text in enumerate(page.split("\n")) if number not in left_out)
            if left_out
            else page
        )
    return kept


def _ends(page: str) -> list[tuple[int, str]]:
    """The numbers of the lines at both ends of a page, and what they say but for numbers."""
    lines = [(number, line) for number, line in enumerate(page.split("\n")) if line.strip()]
    if len(lines) < _FEWEST_LINES:
        return []
    ends = (*lines[:_AT_EACH_END], *lines[-_AT_EACH_END:])
    return [
        (number, _NUMBER.sub("#", " ".join(line.casefold().split())))
        for number, line in ends
        if len(line) <= _LONGEST
    ]
