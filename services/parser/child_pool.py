"""The warm children of a sandbox: kept at their number, recycled, and more of them while documents are slow."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from services.parser.child_process import ChildNotReady, ChildProcess
from services.parser.limits.slow_documents import SlowDocuments

Child = asyncio.Task[ChildProcess]
"""A child that may still be starting."""


@dataclass(frozen=True)
class PoolSize:
    """``processes`` are always there, and ``spare`` more at most; each reads so many documents before it goes."""

    processes: int
    spare: int
    documents_per_process: int


class ChildPool:
    """Children that are started by ``start``; use it as an async context manager."""

    def __init__(self, size: PoolSize, start: Callable[[], asyncio.Task[ChildProcess]]) -> None:
        self._size = size
        self._start_child = start
        self._idle: asyncio.Queue[Child] = asyncio.Queue()
        self._children: set[Child] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._slow = SlowDocuments(size.spare, self._add)
        self.is_closed = False

    @property
    def slow_documents(self) -> int:
        """The number of documents under way for which another child stands in."""
        return self._slow.stood_in_for

    async def __aenter__(self) -> Self:
        """Start the children; raises ChildNotReady when they can't."""
        for _ in range(self._size.processes):
            self._add()
        try:
            await asyncio.gather(*self._children)
        except BaseException:
            await self._end_all()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill the children, those at work too."""
        await self._end_all()

    @contextmanager
    def document(self) -> Iterator[Callable[[], None]]:
        """Yield what is to be called when a document is slow: until it is done, another child stands in for its."""
        try:
            with self._slow.watching() as note_slow:
                yield note_slow
        finally:
            self._end_surplus()

    async def take(self) -> Child:
        """Wait for a child that has nothing to do, or start one where there may be more."""
        if self._idle.empty() and len(self._children) < self._size.processes + self._size.spare:
            return self._start()
        return await self._idle.get()

    def give_back(self, child: Child, *, healthy: bool) -> None:
        """Keep a child for the next document, or end it and start another in its place."""
        if self.is_closed:
            return
        if healthy and child.result().documents < self._size.documents_per_process:
            self._idle.put_nowait(child)
        else:
            self._end(child)
            self._add()

    def _add(self) -> None:
        if not self.is_closed:
            self._idle.put_nowait(self._start())

    def _start(self) -> Child:
        child = self._start_child()
        self._children.add(child)
        return child

    def _end_surplus(self) -> None:
        wanted = self._size.processes + self._slow.stood_in_for
        while not self.is_closed and len(self._children) > wanted and not self._idle.empty():
            self._end(self._idle.get_nowait())

    def _end(self, child: Child) -> None:
        self._children.discard(child)
        ending = asyncio.create_task(_ended(child), name="parser-child-end")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end_all(self) -> None:
        self.is_closed = True
        await asyncio.gather(*map(_ended, self._children), *self._ending)


async def _ended(starting: Child) -> None:
    if not starting.done():
        starting.cancel()
    try:
        child = await starting
    except (asyncio.CancelledError, ChildNotReady):
        return
    await child.kill()
