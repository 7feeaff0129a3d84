"""Time left, from what is done and how long that took. Null where nothing is known: a guess would be a lie."""

from dataclasses import dataclass

LEAST_SECONDS = 0.2
"""Of work, before its pace says anything: the first page may have been in a cache."""


@dataclass(frozen=True)
class Paces:
    """Of this system, over the last minutes of work; None where it has not been seen at work."""

    pages: float | None = None
    """Pages parsed in a second."""
    chunks: float | None = None
    """Chunks embedded in a second."""
    chunks_per_page: float | None = None


NOTHING_KNOWN = Paces()


def time_left(done: int, total: int, seconds: float | None) -> float | None:
    """Return the seconds that the rest takes at the pace of what is done; None where that is too little to tell."""
    if seconds is None or done <= 0 or total <= 0 or seconds < LEAST_SECONDS:
        return None
    return round(max(0, total - done) * seconds / done, 1)


def time_at_pace(amount: float | None, pace: float | None) -> float | None:
    """Return the seconds that an amount takes; None where either is not known."""
    return None if amount is None or not pace else amount / pace


def time_for_pages_and_chunks(
    pages_done: int, page_count: int, seconds: float | None, paces: Paces
) -> float | None:
    """Return the seconds until a document that is being parsed can be found: its pages, and then its chunks."""
    parsing = time_left(pages_done, page_count, seconds)
    chunks = page_count * paces.chunks_per_page if paces.chunks_per_page else None
    embedding = time_at_pace(chunks, paces.chunks)
    return None if parsing is None or embedding is None else round(parsing + embedding, 1)
