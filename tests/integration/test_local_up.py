"""``make up`` as a person runs it, with stand-ins for the services: the start, the deaths, the end."""

import os
import pty
import shutil
import signal
import socket
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fakes.waiting import wait_until
from tests.support.up_command import COMMAND, System, free_port, processes_of


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="stagecast-test-"))
    yield path
    for pid in [int(line.split()[0]) for line in processes_of(path)]:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path)


def open_to_others(directory: Path) -> list[Path]:
    """The directory and what is below it, as far as group or others may do anything with it."""
    return [path for path in (directory, *directory.rglob("*")) if path.lstat().st_mode & 0o077]


@pytest.fixture
def quick(rabbitmq_url: str, database_url: str) -> dict[str, str]:
    """Settings with which no broker and no database has to be started."""
    return {"RABBITMQ_URL": rabbitmq_url, "DATABASE_URL": database_url}


def test_two_copies_run_beside_each_other_in_private_heal_and_leave_nothing(directory: Path) -> None:
    own = {"RABBITMQ_URL": "", "DATABASE_URL": ""}
    old = directory / "one" / "objects" / "documents" / "of-an-earlier-release"
    old.parent.mkdir(parents=True)
    old.touch()
    assert open_to_others(directory / "one") != []
    one, two = (System(directory / name, **own) for name in ("one", "two"))
    one.await_up()
    two.await_up()
    assert one.value("RabbitMQ") != two.value("RabbitMQ")
    assert answers(one.value("RabbitMQ"))
    assert answers(f"http://127.0.0.1:{two.port}/")
    assert open_to_others(directory / "one") == open_to_others(directory / "two") == []

    parser = one.pid_of("parser")
    os.kill(parser, signal.SIGKILL)
    one.await_line("parser ended by SIGKILL; it is started again in 0.5 s")
    wait_until(lambda: one.pid_of("parser") != parser)

    broker = next(int(line.split()[0]) for line in one.left_over() if "beam" in line)
    os.kill(broker, signal.SIGKILL)
    one.await_line("broker ended by SIGKILL")
    wait_until(lambda: answers(one.value("RabbitMQ")), within=40)

    assert one.ends(signal.SIGINT) == 0
    assert one.left_over() == []
    assert answers(two.value("RabbitMQ"))

    two.process.kill()
    two.process.wait()
    wait_until(lambda: two.left_over() == [], within=40)


def test_the_next_start_waits_for_what_a_killed_one_left(directory: Path, rabbitmq_url: str) -> None:
    settings = {"RABBITMQ_URL": rabbitmq_url, "DATABASE_URL": ""}
    first = System(directory, **settings).await_up()
    first.process.kill()
    first.process.wait()
    second = System(directory, **settings).await_up()
    assert second.ends(signal.SIGTERM) == 0
    assert second.left_over() == []


def test_services_stop_in_order_and_what_they_leave_is_killed(directory: Path, quick: dict[str, str]) -> None:
    system = System(directory, **quick, FAKE_STUBBORN_CHILD="yes").await_up()
    assert sum("signal.SIG_IGN" in line for line in system.left_over()) == 3
    assert system.ends(signal.SIGTERM) == 0
    wait_until(lambda: system.said("nothing is left running"))
    assert [line for line in system.lines if "leaving in order" in line] != []
    assert system.left_over() == []


def test_a_closed_terminal_stops_everything(directory: Path, quick: dict[str, str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        env = {**os.environ, **quick, "DATA_DIR": str(directory), "PORT": str(free_port())}
        os.execve(COMMAND[0], COMMAND, env)  # noqa: S606 - the command is ours
    shown = b""
    while b"Stagecast is up" not in shown:
        shown += os.read(terminal, 4096)
    assert b"\x1b[36mapi" in shown
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) >= 0
    assert processes_of(directory) == []


def test_a_taken_port_ends_the_start_with_a_sentence(directory: Path, quick: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        system = System(directory, **quick, PORT=str(port))
        assert system.process.wait(30) == 1
    wait_until(lambda: system.lines)
    assert system.lines == [
        f"Port {port} on 127.0.0.1 is taken by another program: stop that, or set PORT to a free port."
    ]


def test_a_wrong_setting_of_a_service_ends_the_start(directory: Path, quick: dict[str, str]) -> None:
    system = System(directory, **quick, FAKE_WRONG_SETTING="parser")
    assert system.process.wait(30) == 1
    assert system.said("parser +| SOME_SETTING has a wrong value")
    assert system.left_over() == []


def test_a_second_start_on_the_same_data_is_refused(directory: Path, quick: dict[str, str]) -> None:
    first = System(directory, **quick).await_up()
    second = System(directory, **quick)
    assert second.process.wait(30) == 1
    wait_until(lambda: second.said(f"already runs on DATA_DIR={directory} \\(process {first.process.pid}\\)"))
    assert first.ends(signal.SIGTERM) == 0


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url).status == 200)  # noqa: S310 - http
    except OSError:
        return False
