"""A file system of its own that is easily filled; only root can have one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _pytest.outcomes import Skipped  # pytest.skip.Exception, with a type

MIB = 1 << 20


class MayNotMount(Skipped):
    """This account, or this container, may not mount file systems; a test that meets it is skipped."""


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
        """Leave so many bytes free; 0 is the last byte. To be repeated while others free what they have."""
        with self._filler.open("ab") as filler:
            end, more = filler.seek(0, os.SEEK_END), self.free - leave
            while more >= os.statvfs(self.directory).f_frsize:
                try:
                    os.posix_fallocate(filler.fileno(), end, more)
                    break
                except OSError:  # somebody else took some of it
                    more //= 2

    def make_room(self) -> None:
        """Free what was filled."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.directory / ".filler"


@contextmanager
def small_file_system(directory: Path, mib: int, options: str = "mode=1777") -> Iterator[SmallFileSystem]:
    """Mount one of so many MiB at a directory. Raises MayNotMount."""
    directory.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,{options}", "stagecast-test", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        raise MayNotMount("only root, in a container that may, can mount a file system that is easily filled")
    try:
        yield SmallFileSystem(directory)
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)
