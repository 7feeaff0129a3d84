"""A log of events in memory, and streams that resume in it, as the contract describes the real one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from contracts.wire import rfc3339
from tests.support.fakes.clock import now


def frame(event: str, data: dict[str, Any], position: str | None = None) -> bytes:
    """One server-sent event, encoded."""
    head = f"id: {position}\n" if position is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()


@dataclass
class EventLog:
    """Entries since the beginning; the ``id`` of entry ``n`` is ``n-<generation>``."""

    heartbeat_seconds: float = 30
    retry_ms: int = 50
    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    opened: list[str | None] = field(default_factory=list)
    generation: int = 0
    _cuts: int = 0
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def position(self) -> str:
        """The id of the newest entry."""
        return f"{len(self.entries)}-{self.generation}"

    def append(self, event: str, data: dict[str, Any]) -> None:
        """Add an entry and wake the streams."""
        self.entries.append((event, data))
        self._wake()

    def cut(self) -> None:
        """End every open stream, as a proxy that gives up would."""
        self._cuts += 1
        self._wake()

    def forget(self) -> None:
        """Make every id given out so far unknown, and cut the streams."""
        self.generation += 1
        self.cut()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def _start(self, resume: str | None) -> tuple[int, bool]:
        offset, _, generation = (resume or self.position).partition("-")
        known = offset.isdigit() and generation == str(self.generation) and int(offset) <= len(self.entries)
        return (int(offset) if known else len(self.entries)), known

    async def stream(self, resume: str | None, only: frozenset[str]) -> AsyncIterator[bytes]:
        """Everything after ``resume``, then the live tail, for the documents ``only`` (none: all)."""
        self.opened.append(resume)
        cuts = self._cuts
        at, known = self._start(resume)
        place = {"position": f"{at}-{self.generation}"}
        told = {"clientId": str(len(self.opened)), "serverTime": rfc3339(now()), **place}
        yield f"retry: {self.retry_ms}\n".encode() + frame("connected", told)
        if not known:
            yield frame("reset", {"reason": "unknown", **place})
        while cuts == self._cuts:
            grown = self._grown
            for event, data in self.entries[at:]:
                at += 1
                if not only or data["documentId"] in only:
                    yield frame(event, data, f"{at}-{self.generation}")
            try:
                await asyncio.wait_for(grown.wait(), self.heartbeat_seconds)
            except TimeoutError:
                yield frame("heartbeat", {"serverTime": rfc3339(now())})
