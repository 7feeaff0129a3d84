"""The example program for people who try a stream for the first time."""

import shutil
import subprocess
from pathlib import Path

from tests.support.npm import NODE
from tests.support.system import System

EXAMPLE = Path(__file__).parents[2] / "examples" / "test-sse.js"


def run_example(installed: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = shutil.copy(EXAMPLE, installed)
    command: list[str | Path] = [NODE, program]
    return subprocess.run(
        command, env={"NO_PROXY": "*", **environment}, capture_output=True, text=True, timeout=60
    )


def test_it_hears_over_the_stream_what_it_reported_by_the_webhook(system: System, npm_clients: Path) -> None:
    ended = run_example(
        npm_clients, STAGECAST_URL=system.url, INTERNAL_API_KEY=system.api_key, TEST_SECONDS="5"
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "webhook: 202" in ended.stdout
    assert ended.stdout.splitlines()[-3:] == ["ok     connected", "ok     accepted", "ok     received"]


def test_it_fails_where_no_server_answers(npm_clients: Path) -> None:
    ended = run_example(
        npm_clients, STAGECAST_URL="http://127.0.0.1:9", INTERNAL_API_KEY="k", TEST_SECONDS="1"
    )

    assert ended.returncode == 1
    assert "FAILED connected" in ended.stdout
