"""What is free on a file system."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MIB = 1 << 20


@dataclass(frozen=True)
class Space:
    """A file system: its size, what is free on it for us (both in bytes), and the files that can still be made.

    ``free_files`` is None where the file system sets no such limit.
    """

    device: int
    total: int
    free: int
    free_files: int | None = None

    @classmethod
    def of(cls, path: Path) -> Self:
        """Measure the file system that holds a path. Raises OSError."""
        status = os.statvfs(path)
        files = min(status.f_favail, status.f_files) if status.f_files else None
        return cls(
            path.stat().st_dev, status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize, files
        )


def in_mib(size: int) -> str:
    """Return a size in bytes as people read it."""
    return f"{size / MIB:,.0f} MiB"
