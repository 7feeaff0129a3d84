"""Documents that keep a child for long without a finished page; while there are some, other children stand in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLOW_SECONDS = 1.0
"""Without a finished page: nearly all files are done by then, and what is not may take a minute more."""


class SlowDocuments:
    """Counts them; for ``most`` of them another child stands in, and ``on_stand_in`` is called for each."""

    def __init__(self, most: int, on_stand_in: Callable[[], None]) -> None:
        self.most = most
        self._on_stand_in = on_stand_in
        self._count = 0

    @property
    def stood_in_for(self) -> int:
        """The number of those for which another child stands in."""
        return min(self._count, self.most)

    @contextmanager
    def watching(self) -> Iterator[Callable[[], None]]:
        """Yield what is to be called when a document is found slow; it is so until it is done."""
        is_slow = False

        def note() -> None:
            nonlocal is_slow
            if not is_slow:
                is_slow, self._count = True, self._count + 1
                if self._count <= self.most:
                    self._on_stand_in()

        try:
            yield note
        finally:
            self._count -= is_slow
