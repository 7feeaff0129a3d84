"""DATA_DIR belongs to one running system at a time, and to nobody but the account that this runs as."""

import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from local.failures import StartFailed

PATIENCE_SECONDS = 30.0

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The permissions of group and others; as a umask, what is written is its owner's alone."""


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
        """Make the directory, lock it and close it to others. Raises StartFailed when a running system has it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
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
        self._close_to_others()
        return self

    def release(self) -> None:
        """Give the directory free; only when nothing runs on it any more."""
        os.close(self._lock)

    def _close_to_others(self) -> None:
        """Take from others what they were given before, by an earlier release or by whoever made the directory."""
        for kept in (self.path / "objects", self.path / "rabbitmq"):
            # Once: what is written below a closed directory is closed, and there may be a million files.
            if kept.is_dir() and kept.stat().st_mode & OTHERS:
                _close_tree(kept)
        _close(self.path / "lock")
        if not self.path.stat().st_mode & stat.S_ISVTX:  # as /tmp has it, which is everybody's
            _close(self.path)

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


def _close_tree(root: Path) -> None:
    for directory, _, files in os.walk(root, topdown=False):  # the root last: cut short, it is done again
        for name in (*files, "."):
            _close(Path(directory, name))


def _close(path: Path) -> None:
    with suppress(PermissionError):  # of another owner, who decides
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
