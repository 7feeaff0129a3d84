"""The reserve of disk space: below it nothing new is taken, so that no disk is filled to its last byte.

A broker whose disk is full can lose the log for good, and a database stops in the middle of a write. What is
under way may use the reserve up; what is new waits until there is room again.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.runtime.errors import NoRoom
from services.runtime.process.disk_space import Space, in_mib
from services.runtime.process.logging import get_logger
from services.runtime.process.settings import CommonSettings

LARGEST_DEFAULT = 1 << 30
SHARE = 20
"""The default is a twentieth of the file system, or ``LARGEST_DEFAULT`` bytes, whichever is less."""
INODES = 1000
"""Files that can still be made: an object store or a broker without any stands still as on a full disk."""
INTERVAL_SECONDS = 1.0
STEADY_SECONDS = 3.0
"""There has to be room for so long before there is any again: a database that ends on a full disk makes some for a
moment, and needs it when it comes back."""

log = get_logger(__name__)


@dataclass
class DiskReserve:
    """Knows, from ``look`` to ``look``, whether there is room on the file systems of ``directories``.

    ``reserve_bytes`` of None is the default, which depends on the file system's size; 0 asks for no reserve.
    """

    directories: Sequence[Path]
    reserve_bytes: int | None = None
    measure: Callable[[Path], Space] = Space.of
    shortage: str | None = None
    """A sentence on what is short, for operators, or None."""
    _promised: int = field(default=0, init=False)
    _short_at: float = field(default=float("-inf"), init=False)
    _spare: int = field(default=1 << 62, init=False)

    def look(self) -> str | None:
        """Measure, and return ``shortage``. May wait for a file system that does not answer."""
        shortage, above = None, []
        for directory, space in self._spaces():
            reserve = self.reserve_of(space)
            above.append(space.free - reserve)
            if space.free < reserve:
                shortage = (
                    f"{in_mib(space.free)} are free on the file system of {directory}, and {in_mib(reserve)} are "
                    "to stay free (DISK_RESERVE_BYTES): delete documents, or make room"
                )
            elif reserve and space.free_files is not None and space.free_files < INODES:
                shortage = f"only {space.free_files} more files fit on the file system of {directory}"
        self._spare = min(above, default=1 << 62)
        now = time.monotonic()
        if shortage is not None:
            self._short_at, self.shortage = now, shortage
        elif now - self._short_at >= STEADY_SECONDS:
            self.shortage = None
        return self.shortage

    def reserve_of(self, space: Space) -> int:
        """Return the bytes that are to stay free on a file system."""
        default = min(LARGEST_DEFAULT, space.total // SHARE)
        return default if self.reserve_bytes is None else self.reserve_bytes

    async def run(self) -> None:
        """Look once a second until cancelled; in a thread, since a dead network disk answers nobody."""
        was_short = False
        while True:
            if (shortage := await asyncio.to_thread(self.look)) is not None and not was_short:
                log.warning("disk_reserve_reached", reason=shortage)
            elif shortage is None and was_short:
                log.info("disk_has_room_again")
            was_short = shortage is not None
            await asyncio.sleep(INTERVAL_SECONDS)

    async def check(self) -> str | None:
        """Return the shortage, as a check of readiness."""
        return self.shortage

    def require(self) -> None:
        """Raise NoRoom while less than the reserve is free."""
        if self.shortage is not None:
            raise NoRoom(self.shortage)

    @contextmanager
    def promise(self, size: int) -> Iterator[None]:
        """Hold room for ``size`` bytes that are about to be written. Raises NoRoom when they would not fit.

        What others were promised and have not yet written counts, so that many at once can't overrun the reserve.
        """
        self.require()
        if size > self._spare - self._promised:
            raise NoRoom(f"{in_mib(size)} would not leave the reserve free")
        self._promised += size
        try:
            yield
        finally:
            self._promised -= size

    def _spaces(self) -> Iterator[tuple[Path, Space]]:
        seen: set[int] = set()
        for directory in self.directories:
            try:
                space = self.measure(directory)
            except OSError:  # not made yet, or gone: whoever writes there says so
                continue
            if space.device not in seen:
                seen.add(space.device)
                yield directory, space


def disk_reserve(settings: CommonSettings) -> DiskReserve:
    """Return the reserve on all that is written to on this machine; what runs elsewhere has a disk of its own."""
    data = settings.data_dir.resolve()
    directories = [data, data / "postgres", data / "rabbitmq"]  # which may be mounts
    if settings.object_store_url.startswith("file://"):
        directories.insert(0, Path(unquote(urlsplit(settings.object_store_url).path)))
    return DiskReserve(directories, settings.disk_reserve_bytes)
