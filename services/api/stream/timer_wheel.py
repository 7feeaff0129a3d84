"""One timer for everybody: who is due next is found without a timer, or a task, for each."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class TimerWheel(Generic[T]):
    """Calls ``visit`` with those that are due, in slots of ``slot_seconds``; never early by design, late by a slot.

    Nobody is taken out: whoever is visited in vain is left alone by ``visit``.
    """

    def __init__(self, visit: Callable[[Sequence[T], float], None], slot_seconds: float) -> None:
        self._visit = visit
        self._slot_seconds = slot_seconds
        self._slots: defaultdict[int, list[T]] = defaultdict(list)
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self, item: T, at: float) -> None:
        """Visit ``item`` at a moment of the loop's clock."""
        now = asyncio.get_running_loop().time()
        if self._timer is None:
            self._next = int(now / self._slot_seconds)
            self._arm()
        self._slots[max(self._next + 1, int(at / self._slot_seconds) + 1)].append(item)

    def stop(self) -> None:
        """Visit nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._slots.clear()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at((self._next + 1) * self._slot_seconds, self._turn)

    def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._timer = None
        due: list[T] = []
        while (self._next + 1) * self._slot_seconds <= now:
            self._next += 1
            due += self._slots.pop(self._next, ())
        self._visit(due, now)
        if self._slots and self._timer is None:
            self._arm()
