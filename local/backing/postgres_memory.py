"""How much memory the embedded PostgreSQL takes: its own defaults are for a machine of the year 2000.

The index over vectors is read at random. While it does not fit into memory a search waits for the disk, and while a
part of it does not fit into ``maintenance_work_mem``, building and vacuuming it takes many times as long.
"""

import os
from pathlib import Path

MIB = 1024 * 1024
LEAST, MOST = 192 * MIB, 4096 * MIB
"""192 MiB is what PostgreSQL takes when nobody says anything: 128 of buffers, 64 for maintenance."""

_MOST_MAINTENANCE = 1024 * MIB
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int:
    """Return the bytes of memory that this process's machine, or its container, has."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        try:
            found.append(int(path.read_text()))
        except (OSError, ValueError):
            continue  # no such file, or "max"
    return min(found)


def default_memory(machine: int) -> int:
    """Return an eighth of a machine's memory, within bounds: model, broker and parsers need theirs."""
    return min(max(machine // 8, LEAST), MOST)


def memory_settings(memory: int, machine: int) -> dict[str, str]:
    """Share out bytes of memory: three quarters are buffers, and the rest is for one build or vacuum of an index.

    ``effective_cache_size`` takes nothing: it tells the planner how much the system keeps of files besides.
    """
    maintenance = min(memory // 4, _MOST_MAINTENANCE)
    return {
        "shared_buffers": f"{(memory - maintenance) // MIB}MB",
        "maintenance_work_mem": f"{maintenance // MIB}MB",
        "effective_cache_size": f"{max(memory, machine // 2) // MIB}MB",
    }
