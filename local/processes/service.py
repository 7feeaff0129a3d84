"""One of our own services, started as a person would start it and configured by environment variables."""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from local.processes.managed_process import ManagedProcess
from local.processes.spawn import spawn

WriteLine = Callable[[str, str], None]
"""Takes a service's name and a line of its log."""


class Service(ManagedProcess):
    """A process that answers 200 at ``ready_url`` when it is ready, and whose output are log lines."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str],
        ready_url: str,
        write_line: WriteLine,
        *,
        grace_seconds: float,
        head_start: bool = False,
    ) -> None:
        super().__init__(name)
        self.grace_seconds = grace_seconds
        self.head_start = head_start
        self.ready_url = ready_url
        self._command = command
        self._env = env
        self._write_line = write_line
        self._reader: threading.Thread | None = None

    def ready(self) -> bool:
        """Return whether its readiness address answers 200."""
        try:
            with _DIRECT.open(self.ready_url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def kill(self) -> None:
        """Kill what is left of it, and return when its last line is written."""
        super().kill()
        if self._reader:
            self._reader.join(timeout=2)

    def _launch(self) -> subprocess.Popen[bytes]:
        started = spawn(self._command, env=self._env, output=subprocess.PIPE)
        assert started.stdout is not None  # noqa: S101 - a pipe was asked for
        self._reader = threading.Thread(target=self._copy, args=(started.stdout,), daemon=True)
        self._reader.start()
        return started

    def _copy(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._write_line(self.name, line.decode(errors="replace").rstrip("\r\n"))


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy set for the machine must not be asked for our own services."""


def module_command(module: str) -> list[str]:
    """Return the command that runs a module with this interpreter."""
    return [sys.executable, "-u", "-m", module]
