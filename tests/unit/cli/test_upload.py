"""``stagecast upload``: every event once, every end told, whatever happens to the connection."""

import threading
from pathlib import Path

from tests.support.fakes.api import Running
from tests.unit.cli.conftest import Stagecast

STATUSES = ["parsing_started", "parsing", "parsed", "embedding", "embedded"]


def statuses_without_progress(events: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(event["status"] for event in events))


def test_a_document_is_followed_until_it_is_embedded(stagecast: Stagecast, note: Path) -> None:
    outcome = stagecast("upload", note)

    assert outcome.status == 0
    assert statuses_without_progress(outcome.events) == STATUSES


def test_each_event_is_written_as_it_was_received(stagecast: Stagecast, fake: Running, note: Path) -> None:
    outcome = stagecast("upload", note)

    assert outcome.events == [data for _, data in fake.api.log.entries]


def test_the_stream_is_open_before_the_upload(stagecast: Stagecast, fake: Running, note: Path) -> None:
    fake.api.documents.step_seconds = 0

    assert statuses_without_progress(stagecast("upload", note).events) == STATUSES


def test_events_of_other_documents_are_not_written(stagecast: Stagecast, tmp_path: Path, note: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Somebody else's.")
    assert stagecast("upload", "--no-wait", other).status == 0

    outcome = stagecast("upload", note)

    assert {event["documentId"] for event in outcome.events} == {outcome.uploads[0]["document"]["documentId"]}


def test_a_document_that_fails_gives_status_1_and_its_reason(stagecast: Stagecast, tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF FAIL")

    outcome = stagecast("upload", scan)

    assert outcome.status == 1
    assert outcome.events[-1]["status"] == "failed"
    assert "scan.pdf: The document has pages but no text in them. (no_text_layer)" in outcome.errors


def test_a_refused_file_shows_the_problem_and_the_others_go_on(
    stagecast: Stagecast, tmp_path: Path, note: Path
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\0\0")

    outcome = stagecast("upload", picture, note)

    assert outcome.status == 1
    # In whichever order: both are on their way at once.
    assert {(line["accepted"], line.get("httpStatus")) for line in outcome.uploads} == {
        (False, 415),
        (True, None),
    }
    assert "No parser for this content." in outcome.errors
    assert outcome.events[-1]["status"] == "embedded"


def test_a_file_that_is_missing_is_named(stagecast: Stagecast, tmp_path: Path) -> None:
    outcome = stagecast("upload", tmp_path / "nowhere.pdf")

    assert outcome.status == 1
    assert f"There is no file {tmp_path / 'nowhere.pdf'}" in outcome.errors


def test_the_same_bytes_again_are_already_there(stagecast: Stagecast, fake: Running, note: Path) -> None:
    stagecast("upload", note)
    told_before = len(fake.api.log.entries)

    again = stagecast("upload", note)

    assert again.status == 0
    assert again.uploads[0]["already"] is True
    assert again.uploads[0]["document"]["status"] == "embedded"
    assert len(fake.api.log.entries) == told_before


def test_the_same_bytes_that_failed_before_still_give_status_1(stagecast: Stagecast, tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF FAIL")
    stagecast("upload", scan)

    again = stagecast("upload", scan)

    assert again.status == 1
    assert "no_text_layer" in again.errors


def test_force_processes_again(stagecast: Stagecast, note: Path) -> None:
    stagecast("upload", note)

    again = stagecast("upload", "--force", note)

    assert again.status == 0
    assert {event["attempt"] for event in again.events} == {2}
    assert statuses_without_progress(again.events) == STATUSES


def test_without_waiting_only_the_answer_is_written(stagecast: Stagecast, note: Path) -> None:
    outcome = stagecast("upload", "--no-wait", note)

    assert outcome.status == 0
    assert len(outcome.lines) == len(outcome.uploads) == 1


def test_a_stream_that_is_cut_again_and_again_loses_nothing(
    stagecast: Stagecast, fake: Running, note: Path
) -> None:
    fake.api.documents.step_seconds, fake.api.log.retry_ms = 0.03, 20
    over = threading.Event()

    def cut_often() -> None:
        while not over.wait(0.05):
            fake.cut()

    scissors = threading.Thread(target=cut_often)
    scissors.start()
    try:
        outcome = stagecast("upload", note)
    finally:
        over.set()
        scissors.join()

    assert outcome.status == 0
    assert len(fake.api.log.opened) > 2
    assert [event["eventId"] for event in outcome.events] == [
        data["eventId"] for _, data in fake.api.log.entries
    ]


def test_after_a_reset_the_document_is_fetched(stagecast: Stagecast, fake: Running, note: Path) -> None:
    # It ends while nobody is connected, and the server has forgotten where the client was.
    fake.api.documents.step_seconds, fake.api.log.retry_ms = 0.01, 1500

    def forget_once_connected() -> None:
        while not fake.api.log.entries:
            over.wait(0.005)
        fake.forget()

    over = threading.Event()
    forgetting = threading.Thread(target=forget_once_connected)
    forgetting.start()
    outcome = stagecast("upload", note)
    forgetting.join()

    assert outcome.status == 0
    assert "embedded" not in [event["status"] for event in outcome.events]


def test_a_document_deleted_meanwhile_gives_status_1(stagecast: Stagecast, fake: Running, note: Path) -> None:
    fake.api.documents.step_seconds = 0.2

    def delete_once_there() -> None:
        while not fake.api.documents.by_id:
            over.wait(0.005)
        fake.loop_calls(lambda: fake.api.documents.remove(next(iter(fake.api.documents.by_id))))

    over = threading.Event()
    deleting = threading.Thread(target=delete_once_there)
    deleting.start()
    outcome = stagecast("upload", note)
    deleting.join()

    assert outcome.status == 1
    assert "note.txt: deleted while it was being processed" in outcome.errors


def test_a_server_that_is_away_is_one_sentence(stagecast: Stagecast, note: Path) -> None:
    outcome = stagecast("upload", note, url="http://127.0.0.1:9")

    assert outcome.status == 1
    assert outcome.lines == []
    assert outcome.errors.count("\n") == 1
    assert outcome.errors.startswith("No answer from http://127.0.0.1:9")


def test_an_address_without_a_scheme_is_refused_with_an_example(stagecast: Stagecast, note: Path) -> None:
    outcome = stagecast("upload", note, url="localhost:3000")

    assert outcome.status == 1
    assert "http://127.0.0.1:3000" in outcome.errors


def test_the_token_is_sent_as_bearer(stagecast: Stagecast, fake: Running, note: Path) -> None:
    stagecast("upload", note, "--token", "secret")

    assert fake.api.headers[0]["authorization"] == "Bearer secret"
