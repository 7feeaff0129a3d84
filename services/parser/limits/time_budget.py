"""The time that a document has: in all, and without getting on."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contracts.failures import DocumentFailed, FailureCode

T = TypeVar("T")


class Stalled(DocumentFailed):
    """A document did not get on: no page was finished for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            FailureCode.PARSE_TIMEOUT, f"Parsing the document did not get on for {seconds:g} seconds."
        )


class TimeBudget:
    """The time that a document still has. Reporting its progress doesn't count.

    ``on_slow`` is called when it did not get on for ``slow_seconds``, each time.
    """

    def __init__(
        self, seconds: float, *, slow_seconds: float = math.inf, on_slow: Callable[[], None] = lambda: None
    ) -> None:
        self._left = seconds
        self._stall = self._stall_left = seconds
        self._slow = self._slow_left = slow_seconds
        self._on_slow = on_slow

    def begin_try(self, stall_seconds: float) -> None:
        """Begin to read the file, once more; it may take so long to the first page, and from each to the next."""
        self._stall = self._stall_left = stall_seconds

    def got_on(self) -> None:
        """Note that a page, or another part of the work, is finished."""
        self._stall_left = self._stall
        self._slow_left = self._slow

    async def wait_for(self, answer: Awaitable[T]) -> T:
        """Wait as long as there is time; raises Stalled, or DocumentFailed when there is none left in all."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        stalls = self._stall_left < self._left
        slow = loop.call_later(self._slow_left, self._on_slow) if self._slow_left < math.inf else None
        try:
            async with asyncio.timeout(min(self._left, self._stall_left)):
                return await answer
        except TimeoutError:
            if stalls:
                raise Stalled(self._stall) from None
            raise DocumentFailed(
                FailureCode.PARSE_TIMEOUT, "Parsing the document took more time than is allowed."
            ) from None
        finally:
            if slow is not None:
                slow.cancel()
            took = loop.time() - began
            self._left -= took
            self._stall_left -= took
            self._slow_left = max(self._slow_left - took, 0)
