"""DATA_DIR belongs to one running system at a time."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from local.failures import StartFailed

PATIENCE_SECONDS = 30.0


class DataDir:
    """A directory that is held by a lock while anything runs on it.

    Broker and database inherit the lock's descriptor. So when a supervisor was killed and they are still
    going down, the next one waits, rather than starting a second broker on the first one's files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock = -1

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock."""
        return self._lock

    def acquire(self) -> Self:
        """Make the directory and lock it. Raises StartFailed when a running system has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._try():
            if (owner := self._owner()) is not None or time.monotonic() > deadline:
                os.close(self._lock)
                whose = f" (process {owner})" if owner else ""
                raise StartFailed(
                    f"Stagecast already runs on DATA_DIR={self.path}{whose}: stop it, or set DATA_DIR "
                    "and PORT to run a second copy."
                )
            time.sleep(0.1)
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        return self

    def release(self) -> None:
        """Give the directory free; only when nothing runs on it any more."""
        os.close(self._lock)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _owner(self) -> int | None:
        text = os.pread(self._lock, 32, 0).strip()
        return int(text) if text.isdigit() and _runs(int(text)) else None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
