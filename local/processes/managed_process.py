"""One process of the running system: broker, database or service."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from local.failures import StartFailed
from local.processes.spawn import describe_exit, signal_group


class ManagedProcess:
    """A process that can be started, asked whether it is ready, and stopped; started again it is the same.

    A subclass gives ``_launch`` and ``ready``.
    """

    stop_signal = signal.SIGTERM
    grace_seconds = 20.0
    """The time that it may take to stop in order before it is killed."""

    expendable = True
    """It may be killed at once when somebody is in a hurry, because others keep all it knows."""

    head_start = False
    """It starts before the layers below it are ready, because it is slow and waits for them itself."""

    needs_room = False
    """It writes to a disk, and is not started while that is nearly full: it might lose what it has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def ready(self) -> bool:
        """Return whether it does its work now; never waits for more than a second or two."""
        raise NotImplementedError

    def on_ready(self) -> None:
        """Do what is to be done once it is ready, safe to repeat; nothing unless a subclass says so."""

    def mend(self, say: Callable[[str], None]) -> bool:
        """Mend what starting again does not, called several times a second; return True when it was started anew.

        Nothing unless a subclass does, which tells the person at the terminal by ``say``.
        """
        return False

    @property
    def ailing(self) -> bool:
        """Something is amiss that ``mend`` may have to deal with: until then a start is not given up."""
        return False

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The status with which it ended (negative: by that signal); None while it runs or when it never ran."""
        return self._process.poll() if self._process else None

    def launch(self) -> None:
        """Start the process and return at once."""
        self.sweep()
        self._process = self._launch()

    def start(self, within: float = 60.0) -> None:
        """Start the process and return when it is ready. Raises StartFailed."""
        self.launch()
        deadline = time.monotonic() + within
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                sentence = self.why_not()
                self.kill()
                raise StartFailed(sentence)
            time.sleep(0.05)
        self.on_ready()

    def why_not(self) -> str:
        """Return a sentence on why it did not become ready."""
        status = self.exit_status
        how = "did not become ready" if status is None else f"ended {describe_exit(status)}"
        return f"{self.name} {how}."

    def ask_to_stop(self) -> None:
        """Send the signal by which it stops in order, and return at once."""
        if self._process and self.running:
            self._process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """Stop it in order, or kill it when that takes too long; returns when nothing of it is left."""
        self.ask_to_stop()
        deadline = time.monotonic() + self.grace_seconds
        while self.running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """SIGKILL what is left of it and of all it started; returns when it is gone."""
        if self._process:
            signal_group(self._process, signal.SIGKILL)
            self._process.wait()

    def sweep(self) -> None:
        """Kill what a process that ended by itself has left behind."""
        if self._process and not self.running:
            signal_group(self._process, signal.SIGKILL)


def last_lines(log: Path, count: int = 8) -> str:
    """Return the end of a log file, for a failure's sentence; empty when there is none."""
    if not log.is_file():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
