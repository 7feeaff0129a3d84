"""``stagecast search``, ``notify`` and ``doctor``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands.notify import first_key
from cli.main import app
from tests.support.fakes.api import Running
from tests.unit.cli.conftest import Stagecast


def test_what_was_found_is_written_as_lines_best_first(stagecast: Stagecast, note: Path) -> None:
    stagecast("upload", note)

    found = stagecast("search", "lantern").lines

    assert [(item["filename"], item["pageStart"]) for item in found] == [("note.txt", 1)]


def test_a_search_that_finds_nothing_is_no_failure(stagecast: Stagecast) -> None:
    outcome = stagecast("search", "zeppelin")

    assert (outcome.status, outcome.lines) == (0, [])


def test_a_search_can_be_limited_to_documents(stagecast: Stagecast, note: Path) -> None:
    stagecast("upload", note)

    assert stagecast("search", "lantern", "--document", "another").lines == []


def test_a_search_by_words_alone_says_so_and_a_mode_that_is_none_is_wrong_use(
    stagecast: Stagecast, note: Path, fake: Running
) -> None:
    stagecast("upload", note)

    assert stagecast("search", "lantern", "--mode", "words").lines != []
    assert fake.api.searched[-1] == {"query": "lantern", "limit": 10, "mode": "words"}
    assert stagecast("search", "lantern", "--mode", "magic").status == 2


def test_a_status_is_reported_with_its_metadata(stagecast: Stagecast, fake: Running) -> None:
    told = ["--message", "Done.", "--metadata", '{"filename": "x.pdf"}', "--key", fake.api_key]

    outcome = stagecast("notify", "doc-1", "embedded", *told)

    assert outcome.status == 0
    assert outcome.lines[0]["accepted"] is True
    assert outcome.lines[0]["eventId"]
    body = {
        "documentId": "doc-1",
        "status": "embedded",
        "message": "Done.",
        "metadata": {"filename": "x.pdf"},
    }
    assert [{**sent, "timestamp": None} for sent in fake.api.received] == [{**body, "timestamp": None}]


def test_the_key_comes_from_the_servers_own_setting(
    stagecast: Stagecast, fake: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERNAL_API_KEY", f"billing={fake.api_key},other=old")

    assert stagecast("notify", "doc-1", "embedded").status == 0


def test_a_wrong_key_shows_the_problem(stagecast: Stagecast) -> None:
    outcome = stagecast("notify", "doc-1", "embedded", "--key", "wrong")

    assert outcome.status == 1
    assert "The webhook key is missing or wrong." in outcome.errors


def test_without_a_key_nothing_is_sent(stagecast: Stagecast, fake: Running) -> None:
    outcome = stagecast("notify", "doc-1", "embedded")

    assert outcome.status == 1
    assert "INTERNAL_API_KEY" in outcome.errors
    assert fake.api.received == []


@pytest.mark.parametrize("metadata", ["{", "[]", "1"])
def test_metadata_that_is_no_object_is_a_wrong_use(stagecast: Stagecast, metadata: str) -> None:
    assert stagecast("notify", "doc-1", "embedded", "--metadata", metadata, "--key", "k").status == 2


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("", None),
        (" , ", None),
        ("plain", "plain"),
        ("name=key", "key"),
        ("name=key,other=second", "key"),
        ("first,second", "first"),
        ("c2VjcmV0==", "c2VjcmV0=="),
        ("name=c2VjcmV0==", "c2VjcmV0=="),
    ],
)
def test_the_first_key_of_the_setting_is_used(setting: str, key: str | None) -> None:
    assert first_key(setting) == key


def doctor(*arguments: str) -> tuple[int, dict[str, str]]:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    return result.exit_code, {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()}


def test_a_healthy_system_passes_every_check(stagecast: Stagecast, fake: Running) -> None:
    status, checks = doctor("--key", fake.api_key)

    assert status == 0
    assert checks == dict.fromkeys(("health", "readiness", "events", "webhook", "upload"), "ok")


def test_the_doctor_leaves_nothing_behind(stagecast: Stagecast, fake: Running) -> None:
    doctor("--key", fake.api_key)

    assert fake.api.documents.by_id == {}


def test_without_a_key_the_webhook_is_skipped(stagecast: Stagecast) -> None:
    status, checks = doctor()

    assert status == 0
    assert checks["webhook"] == "skip"


def test_a_system_that_is_not_ready_is_told_apart(stagecast: Stagecast, fake: Running) -> None:
    fake.api.ready = False

    status, checks = doctor()

    assert status == 1
    assert [name for name, mark in checks.items() if mark == "FAIL"] == ["readiness"]


def test_the_doctor_says_why_a_system_is_not_ready(stagecast: Stagecast, fake: Running) -> None:
    fake.api.ready = False

    result = CliRunner().invoke(app, ["doctor"])

    assert "readiness  The broker does not answer." in result.stdout


def test_a_webhook_that_refuses_the_key_fails_that_check(stagecast: Stagecast) -> None:
    status, checks = doctor("--key", "wrong")

    assert status == 1
    assert [name for name, mark in checks.items() if mark == "FAIL"] == ["webhook"]
