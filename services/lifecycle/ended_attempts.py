"""The attempts that are known to have ended: their further commands are skipped without asking the database.

A document that is cancelled may have hundreds of commands in the queues. Forgotten soon: a database that was taken
back to an older state may count to the same attempt again.
"""

import time
from functools import cache

from sqlalchemy.ext.asyncio import AsyncEngine

Key = tuple[str, int | None]

KEPT_SECONDS = 60.0
MOST = 10_000


class EndedAttempts:
    """Keys of attempts, the ``MOST`` newest, each for ``KEPT_SECONDS``."""

    def __init__(self) -> None:
        self._noted: dict[Key, float] = {}

    def add(self, key: Key) -> None:
        """Note that an attempt has ended, or that its document is gone; None for an attempt names none."""
        if key[1] is None:
            return
        self._noted.pop(key, None)
        self._noted[key] = time.monotonic()
        if len(self._noted) > MOST:
            del self._noted[next(iter(self._noted))]

    def __contains__(self, key: Key) -> bool:
        return time.monotonic() - self._noted.get(key, -KEPT_SECONDS) < KEPT_SECONDS


@cache
def ended_attempts(engine: AsyncEngine) -> EndedAttempts:
    """What this process knows of attempts in the database of ``engine``."""
    return EndedAttempts()
