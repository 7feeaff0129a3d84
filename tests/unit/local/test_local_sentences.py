"""What ``make up`` decides and says before anything runs."""

import http.server
import os
import threading
from pathlib import Path

import pytest

from local.backing.broker_search import speaks_amqp
from local.dependencies import without_password
from local.environment import read_environment
from local.processes.spawn import describe_exit
from local.services import host_to_ask
from local.terminal import Terminal


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("STAGECAST_A=file\nSTAGECAST_B='file too'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGECAST_A", "environment")
    monkeypatch.setenv("STAGECAST_B", "")
    monkeypatch.delenv("STAGECAST_B")
    read_environment()
    assert os.environ["STAGECAST_A"] == "environment"
    assert os.environ.pop("STAGECAST_B") == "file too"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://me:secret@host:5672/v", "amqp://me:***@host:5672/v"),
        ("postgresql://postgres@/stagecast?host=/tmp", "postgresql://postgres@/stagecast?host=/tmp"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("host", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("box", "box")],
)
def test_a_server_that_listens_everywhere_is_asked_on_loopback(host: str, asked: str) -> None:
    assert host_to_ask(host) == asked


@pytest.mark.parametrize(
    ("code", "words"), [(0, "with status 0"), (3, "with status 3"), (-9, "by SIGKILL"), (-99, "by signal 99")]
)
def test_an_end_is_described_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_what_does_not_speak_amqp_is_no_broker() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    assert not speaks_amqp("127.0.0.1", server.server_port)
    server.server_close()


def test_each_line_says_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(["api", "embedder"])
    terminal.line("api", "hello")
    terminal.announce("It is up", [("Page", "http://here/")])
    assert capsys.readouterr().out.splitlines() == [
        "api      | hello",
        "up       | It is up",
        "up       | Page: http://here/",
    ]
