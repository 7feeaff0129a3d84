"""What is new in the log, for a task that takes it in its own time and needs nothing older than the ring."""

import asyncio
from collections.abc import Iterator

from services.api.log.entry import Entry
from services.api.log.event_log import EventLog
from services.api.log.ring import Ring

ENTRIES = 500
"""That are looked through at a time."""


class LogReader:
    """Reads on from where it was; what another ring has, where the log's ring is replaced, from its beginning."""

    def __init__(self, event_log: EventLog, *, begins_at_end: bool = False) -> None:
        self._log = event_log
        self._begins_at_end = begins_at_end
        self._is_told = asyncio.Event()
        self._cursor: int | None = None

    async def open(self) -> None:
        """Wait until the log is known, and listen to it from then on."""
        await self._log.opened()
        self._log.listen(self)

    async def grown(self) -> None:
        """Wait until there is something new."""
        await self._is_told.wait()
        self._is_told.clear()

    def new_entries(self) -> Iterator[Entry]:
        """Yield what is new, oldest first."""
        ring = self._log.ring
        if self._cursor is None:
            self._cursor = ring.end if self._begins_at_end else ring.base
        self._cursor = max(self._cursor, ring.base)
        while entries := ring.entries(self._cursor, ENTRIES):
            self._cursor += len(entries)
            yield from entries

    def log_grew(self) -> None:
        """Hear of the log that it has new entries."""
        self._is_told.set()

    def log_was_replaced(self, old: Ring) -> None:
        """Hear of the log that its ring is another one."""
        self._cursor = None
        self._is_told.set()
