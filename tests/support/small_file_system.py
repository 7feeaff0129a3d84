"""A file system of its own that is easily filled; only root can have one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MIB = 1 << 20


@dataclass(frozen=True)
class SmallFileSystem:
    """A mounted directory, and a file in it that takes the room away."""

    directory: Path

    @property
    def free(self) -> int:
        """Bytes that are free for anybody."""
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free; 0 is the last byte."""
        self.make_room()
        if (size := self.free - leave) > 0:
            with self._filler.open("wb") as filler:
                os.posix_fallocate(filler.fileno(), 0, size)

    def make_room(self) -> None:
        """Free what was filled."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.directory / ".filler"


@contextmanager
def small_file_system(directory: Path, mib: int, options: str = "mode=1777") -> Iterator[SmallFileSystem]:
    """Mount one of so many MiB at a directory; skips the test of who may not."""
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system that is small enough to fill")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,{options}", "stagecast-test", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this container may not mount file systems")
    try:
        yield SmallFileSystem(directory)
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
