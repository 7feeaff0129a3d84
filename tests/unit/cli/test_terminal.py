"""What a person sees, and how the command behaves as a process."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.output import plain
from contracts.statuses import Status
from tests.support.command import STAGECAST, command_environment
from tests.support.fakes.api import Running


def environment(fake: Running) -> dict[str, str]:
    return command_environment(STAGECAST_URL=fake.url, COLUMNS="120", TERM="xterm-256color")


def at_a_terminal(fake: Running, *arguments: str | Path) -> tuple[int, str]:
    """Run the command with a terminal as its output; returns its exit status and what was shown."""
    ours, its = pty.openpty()
    process = subprocess.Popen([*STAGECAST, *arguments], stdout=its, stderr=its, env=environment(fake))
    os.close(its)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:
        pass  # EIO: the other side is closed, as Linux tells it.
    finally:
        os.close(ours)
    return process.wait(30), shown.decode()


@contextmanager
def watching(fake: Running) -> Iterator[subprocess.Popen[str]]:
    """``stagecast watch`` read by a program."""
    process = subprocess.Popen(
        [*STAGECAST, "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(fake),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_connections(fake: Running, count: int) -> None:
    """Spin until the fake has seen so many; the test's time limit ends it."""
    while len(fake.api.log.opened) < count:
        signal.sigtimedwait([], 0.01)


def test_a_person_sees_stages_and_a_final_line(fake: Running, note: Path) -> None:
    status, shown = at_a_terminal(fake, "upload", note)

    assert status == 0
    assert "note.txt" in shown
    assert "embedded, 12 chunks" in shown
    assert '{"' not in shown


def test_a_person_sees_a_table_of_results(fake: Running, note: Path) -> None:
    at_a_terminal(fake, "upload", note)

    status, shown = at_a_terminal(fake, "search", "lantern")

    assert status == 0
    assert "0.930" in shown
    assert "printing press" in shown


def test_watch_writes_each_event_as_a_line(fake: Running) -> None:
    with watching(fake) as process:
        wait_for_connections(fake, 1)
        fake.loop_calls(lambda: fake.api.documents.add("doc-1", "x.pdf", b"x"))
        fake.report("doc-1", Status.PARSED, chunkCount=3)

        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["status"] == "parsed"


def test_watch_goes_on_after_a_cut(fake: Running) -> None:
    with watching(fake) as process:
        wait_for_connections(fake, 1)
        fake.loop_calls(lambda: fake.api.documents.add("doc-1", "x.pdf", b"x"))
        fake.cut()
        fake.report("doc-1", Status.PARSED)
        wait_for_connections(fake, 2)
        fake.report("doc-1", Status.EMBEDDED)

        assert process.stdout is not None
        told = [json.loads(process.stdout.readline())["status"] for _ in range(2)]
    assert told == ["parsed", "embedded"]


def test_control_c_ends_watch_quietly(fake: Running) -> None:
    with watching(fake) as process:
        wait_for_connections(fake, 1)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)

    assert (process.returncode, out, errors) == (130, "", "")


def test_a_reader_that_has_enough_ends_watch_quietly(fake: Running) -> None:
    with watching(fake) as process:
        wait_for_connections(fake, 1)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        fake.loop_calls(lambda: fake.api.documents.add("doc-1", "x.pdf", b"x"))
        fake.report("doc-1", Status.PARSED)

        assert process.wait(30) == 141
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jclean.pdf", "[2Jclean.pdf"),
        ("two\nlines.pdf", "two lines.pdf"),
        ("fdp.\u202egpj.exe", "fdp. gpj.exe"),
        ("half \ud800", "half �"),
    ],
)
def test_names_cannot_steer_the_terminal(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown
