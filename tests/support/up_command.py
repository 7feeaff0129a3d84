"""``make up`` as a person runs it, as a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.fakes.waiting import wait_until

COMMAND = [sys.executable, "-m", "tests.support.fakes.local_system"]


class System:
    """A started system, its output so far, and the processes that belong to it."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.port = free_port()
        env = {**os.environ, "DATA_DIR": str(directory), "PORT": str(self.port), **settings}
        self.process = subprocess.Popen(
            COMMAND,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def said(self, pattern: str) -> bool:
        return any(re.search(pattern, line) for line in list(self.lines))

    def await_line(self, pattern: str, within: float = 60.0) -> None:
        wait_until(lambda: self.said(pattern) or self.process.poll() is not None, within)
        assert self.said(pattern), "\n".join(self.lines)

    def await_up(self) -> "System":
        self.await_line("Stagecast is up")
        return self

    def pid_of(self, service: str) -> int:
        found = [re.search(rf"^{service} +\| listening as (\d+)", line) for line in list(self.lines)]
        return int([match for match in found if match][-1][1])

    def value(self, name: str) -> str:
        return next(match[1] for line in self.lines if (match := re.search(rf"{name}: (\S+)", line)))

    def ends(self, by: signal.Signals, within: float = 40.0) -> int:
        self.process.send_signal(by)
        return self.process.wait(within)

    def left_over(self) -> list[str]:
        return processes_of(self.directory)


def processes_of(directory: Path) -> list[str]:
    """Processes whose environment or command names the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                about = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(directory).encode() in about:
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:200]!r}")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
