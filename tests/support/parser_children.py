"""The parser's child processes, as /proc shows them."""

from pathlib import Path


def children(parent: int | str = "self") -> set[int]:
    """The process ids of a process's parser children."""
    lists = Path(f"/proc/{parent}/task").glob("*/children")
    pids = {int(pid) for listed in lists for pid in listed.read_text().split()}
    # A process that has ended has no command line any more.
    return {pid for pid in pids if b"services.parser.child" in about(pid, "cmdline")}


def about(pid: int, what: str) -> bytes:
    """A file of /proc on a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def cpu_ticks(pid: int) -> int:
    """The time that a process has worked, in hundredths of a second; 0 when it is gone."""
    fields = about(pid, "stat").rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0
