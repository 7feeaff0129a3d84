"""Programs that start by a fork of a server which has imported what they stand on.

Each module has a server of its own, which lives as long as the tests run: what another program has imported, a
process of this one has not, and none of them can lack an import without being noticed.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import BinaryIO


class ForkedProcess:
    """A process as ``subprocess.Popen`` shows one."""

    def __init__(self, module: str, environment: Mapping[str, str], output: BinaryIO) -> None:
        """Start ``module`` as ``python -m`` would; both its outputs go to ``output``."""
        self.returncode: int | None = None
        self._replies, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(_server(module), [b"."], [output.fileno(), theirs.fileno()])
        self._replies.sendall(json.dumps(dict(environment)).encode() + b"\n")
        self._lines = self._replies.makefile("r")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """How it ended, the number of a signal below zero; None while it runs."""
        if self.returncode is None and select.select([self._replies], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return how it ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._replies], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = int(self._lines.readline())
        self._lines.close()
        self._replies.close()


@cache
def _server(module: str) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.processes.fork_server", module, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.DEVNULL,
        )
    return ours
