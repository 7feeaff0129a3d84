"""The supervisor with processes that only sleep."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess
from local.processes.spawn import spawn
from local.processes.supervisor import Interrupted, Restarts, Supervisor
from tests.support.fakes.waiting import wait_until

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)",
]


class Sleeper(ManagedProcess):
    """A process that sleeps, and is ready at once."""

    def __init__(self, name: str, journal: list[str], command: list[str] = SLEEP) -> None:
        super().__init__(name)
        self.journal = journal
        self.command = command
        self.launches = 0

    def _launch(self) -> subprocess.Popen[bytes]:
        self.launches += 1
        self.journal.append(f"{self.name} starts")
        return spawn(self.command, env=os.environ, output=subprocess.DEVNULL)

    def ready(self) -> bool:
        return True

    def kill(self) -> None:
        super().kill()
        self.journal.append(f"{self.name} is gone")


def test_layers_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    supervisor = Supervisor([[Sleeper("below", journal)], [Sleeper("above", journal)]], journal.append)
    supervisor.start()
    supervisor.stop()
    assert journal == ["below starts", "above starts", "above is gone", "below is gone"]


def test_a_process_that_was_killed_is_started_again_and_a_line_says_so() -> None:
    journal: list[str] = []
    process = Sleeper("worker", journal)
    supervisor = Supervisor([[process]], journal.append)
    supervisor.start()
    runner = threading.Thread(target=supervisor.run)
    runner.start()
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: process.launches == 2 and process.running)
    supervisor.stop()
    runner.join()
    assert "worker ended by SIGKILL; it is started again in 0.5 s" in journal


def test_a_wrong_setting_ends_the_start() -> None:
    wrong = Sleeper("api", [], [sys.executable, "-S", "-c", "raise SystemExit(2)"])
    wrong.ready = lambda: False  # type: ignore[method-assign]  # a fake in place of a probe
    supervisor = Supervisor([[wrong]], lambda _: None)
    with pytest.raises(StartFailed, match="api ended with status 2"):
        supervisor.start()
    supervisor.stop()
    assert wrong.launches == 1


def test_a_process_that_never_becomes_ready_ends_the_start() -> None:
    idle = Sleeper("api", [])
    idle.ready = lambda: False  # type: ignore[method-assign]  # a fake in place of a probe
    supervisor = Supervisor([[idle]], lambda _: None)
    with pytest.raises(StartFailed, match="api did not become ready"):
        supervisor.start(within=0.3)
    supervisor.stop()
    assert not idle.running


def test_a_wish_to_stop_is_heard_while_the_start_is_under_way() -> None:
    idle = Sleeper("api", [])
    idle.ready = lambda: False  # type: ignore[method-assign]  # a fake in place of a probe
    supervisor = Supervisor([[idle]], lambda _: None)
    threading.Timer(0.2, supervisor.ask_to_stop).start()
    with pytest.raises(Interrupted):
        supervisor.start()
    supervisor.stop()
    assert not idle.running


def test_a_process_that_does_not_stop_is_killed_after_its_grace() -> None:
    said: list[str] = []
    process = Sleeper("worker", [], STUBBORN)
    process.grace_seconds = 0.3
    supervisor = Supervisor([[process]], said.append)
    supervisor.start()
    wait_until(lambda: ignores_sigterm(process.pid))
    supervisor.stop()
    assert not process.running
    assert said == ["worker does not stop and is killed"]


def test_asking_twice_kills_a_slow_service_at_once() -> None:
    process = Sleeper("worker", [], STUBBORN)
    process.grace_seconds = 60
    supervisor = Supervisor([[process]], lambda _: None)
    supervisor.start()
    wait_until(lambda: ignores_sigterm(process.pid))
    supervisor.ask_to_stop()
    threading.Timer(1.2, supervisor.ask_to_stop).start()
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 20


def test_delays_between_starts_grow_to_half_a_minute() -> None:
    restarts = Restarts()
    assert [restarts.schedule() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def ignores_sigterm(pid: int | None) -> bool:
    """Whether the process has come to the point where SIGTERM does nothing."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - one line of /proc
        mask = next(line for line in status if line.startswith("SigIgn")).split()[1]
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))


def test_nothing_is_started_before_there_is_room_on_the_disk_and_lines_say_so() -> None:
    said: list[str] = []
    short: list[str | None] = ["3 MiB are free", "3 MiB are free", None, None]
    process = Sleeper("database", [])
    supervisor = Supervisor(
        [[process]], said.append, shortage=lambda: short.pop(0) if len(short) > 1 else short[0]
    )
    supervisor.start()
    supervisor.stop()
    assert process.launches == 1
    assert said == [
        "waiting for room on the disk before starting anything: 3 MiB are free",
        "there is room on the disk again",
    ]


def test_what_needs_room_is_not_started_again_on_a_full_disk_and_all_else_is() -> None:
    said: list[str] = []
    shortage: list[str | None] = [None]
    needy, other = Sleeper("broker", []), Sleeper("api", [])
    needy.needs_room = True
    supervisor = Supervisor([[needy, other]], said.append, shortage=lambda: shortage[0])
    supervisor.start()
    runner = threading.Thread(target=supervisor.run)
    runner.start()
    shortage[0] = "0 MiB are free"
    for process in (needy, other):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    wait_until(
        lambda: other.launches == 2 and "waiting for room on the disk before starting broker" in str(said)
    )
    assert needy.launches == 1
    shortage[0] = None
    wait_until(lambda: needy.launches == 2)
    supervisor.stop()
    runner.join()
