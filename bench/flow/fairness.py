"""Jain's index: 1 where all have the same, 1/n where one of n has all."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from bench.flow.load import Ended


def jain(shares: Sequence[float]) -> float:
    """Return the index of what each has; 1 where nobody has anything."""
    squares = len(shares) * sum(share * share for share in shares)
    return sum(shares) ** 2 / squares if squares else 1.0


def indexes(
    ended: Sequence[Ended], owners: Sequence[str], each: int, seconds: float, since: datetime
) -> Iterator[float]:
    """Yield the index of each window of so many seconds in which all owners had documents left.

    A window begins at each end of a document after ``since``, when all had some. ``each`` is what an owner has in
    all.
    """
    done: Counter[str] = Counter()
    lasts = []
    for one in ended:
        done[one.owner] += 1
        if done[one.owner] == each:
            lasts.append(one.at)
    first_without = min(lasts, default=ended[-1].at)
    for first in (one for one in ended if one.at >= since):
        until = first.at + timedelta(seconds=seconds)
        if until > first_without:
            return
        count = Counter(one.owner for one in ended if first.at <= one.at < until)
        yield jain([count[owner] for owner in owners])
