"""The exceptions after which a format goes on: counted, and reported once a document."""

from collections import Counter
from dataclasses import dataclass
from types import TracebackType

MAX_SWALLOWED = 20
"""Kinds of exceptions that are reported, the commonest first."""


@dataclass(frozen=True)
class SwallowedError:
    """An exception's type, the module and line that raised it, and how often it was raised there."""

    kind: str
    where: str
    count: int


class SwallowedErrors:
    """A context, for any number of ``with``, that suppresses and remembers exceptions, all but MemoryError."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> None:
        """Begin what may fail."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Suppress an exception; True when there was one."""
        if not isinstance(error, Exception) or isinstance(error, MemoryError):
            return False
        self._counts[type(error).__qualname__, _origin(trace)] += 1
        return True

    def summary(self) -> tuple[SwallowedError, ...]:
        """The exceptions so far, ``MAX_SWALLOWED`` kinds of them, the commonest first."""
        return tuple(SwallowedError(*of, count) for of, count in self._counts.most_common(MAX_SWALLOWED))


def _origin(trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
