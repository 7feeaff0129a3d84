"""The time that a library in Python may take in a child: calls that are late are interrupted."""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from contracts.failures import StagecastError

MOST_LATE_CALLS = 3
"""A file on which so many calls were late is not asked for more: it has a page for each slot and minute."""

_AGAIN_SECONDS = 0.1
"""A library may swallow the interruption with a bare ``except``; the next one follows."""

T = TypeVar("T")


class OutOfTimeError(StagecastError):
    """A call was interrupted, or not made, since there was no time left."""


class _Interruption(BaseException):
    """The time is over. Libraries catch every Exception, and would go on."""


class Allowance:
    """Seconds for each call, or with ``in_all`` for all of them together.

    By a signal, so for the main thread and for Python: compiled code is not interrupted before it ends.
    """

    def __init__(self, seconds: float = math.inf, *, in_all: bool = False) -> None:
        self._left = seconds
        self._in_all = in_all
        self._late_calls = 0

    @property
    def was_exceeded(self) -> bool:
        """True when a call was late."""
        return self._late_calls > 0

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does; raises OutOfTimeError, and whatever it raises."""
        if self._left == math.inf:
            return work()
        if self._left <= 0 or self._late_calls >= MOST_LATE_CALLS:
            raise OutOfTimeError
        began = time.monotonic()
        try:
            return _interrupted_after(self._left, work)
        except _Interruption:
            self._late_calls += 1
            raise OutOfTimeError from None
        finally:
            if self._in_all:
                self._left -= time.monotonic() - began


def _interrupted_after(seconds: float, work: Callable[[], T]) -> T:
    signal.signal(signal.SIGALRM, _interrupt)
    try:
        _set_timer(seconds)
        return _interruptible(work)
    finally:
        _set_timer(0)


def _interruptible(work: Callable[[], T]) -> T:
    """Do the work: within this call alone is it interrupted, and never what follows an interruption."""
    return work()


def _set_timer(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS if seconds else 0)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    # On a busy processor the next one may come before the timer of the first is stopped: it would end the process.
    while frame is not None:
        if frame.f_code is _interruptible.__code__:
            raise _Interruption
        frame = frame.f_back
