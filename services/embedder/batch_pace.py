"""The size of a batch by time: no longer than a query may wait, while queries come."""

import time
from collections.abc import Callable

QUERY_WAITS_SECONDS = 0.025
"""The length that batches are cut to while queries come: nobody waits longer than 0.03 s for the running one."""

QUERIES_COME_SECONDS = 5.0
"""Queries are taken to come for so long after the last one."""

SHORTEST_TOKENS = 128
"""Shorter batches cost more than they spare a query, also where the machine is so busy that each takes long."""

WEIGHT = 0.2
"""Of the newest batch in the speed that is reckoned with: one that the machine held up says little."""


class BatchPace:
    """Measures the model's speed, and says how many tokens the next batch may have.

    Queries are noted on another thread than the model's; no lock is needed, as both only set a number.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._queried_at: float | None = None
        self._seconds_per_token: float | None = None

    def note_query(self) -> None:
        """Note that somebody searches."""
        self._queried_at = self.clock()

    def note_batch(self, tokens: int, seconds: float) -> None:
        """Note the time that a batch took; ``tokens`` with padding."""
        newest = seconds / max(tokens, 1)
        before = self._seconds_per_token
        self._seconds_per_token = newest if before is None else before + WEIGHT * (newest - before)

    def limit(self) -> int | None:
        """The tokens that the next batch may have; None while nobody searches: as many as fit."""
        if self._queried_at is None or self.clock() - self._queried_at > QUERIES_COME_SECONDS:
            return None
        if not self._seconds_per_token:
            return SHORTEST_TOKENS
        return max(SHORTEST_TOKENS, int(QUERY_WAITS_SECONDS / self._seconds_per_token))
