"""A document's way through the real system: upload, parse, embed, search, and every step on the stream."""

import json
import subprocess

import httpx
import pytest

from tests.support.command import STAGECAST, command_environment
from tests.support.documents import cyclic_pdf, encrypted_pdf, pdf, scanned_pdf, truncated_pdf, zip_bomb
from tests.support.system import System, following, until

STAGES = ["parsing_started", "parsing", "parsed", "embedding", "embedded"]
BOMB = zip_bomb("word/document.xml")
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + b"\x00" * 64


def pages(topic: str, count: int = 3) -> list[str]:
    return [
        f"Page {page} of the handbook on {topic}. The {topic} has {page} properties that everybody should know. "
        for page in range(1, count + 1)
    ]


def test_a_pdf_passes_every_stage_in_order_and_is_found_by_a_sentence_out_of_it(system: System) -> None:
    with following(system) as follower:
        document_id = system.accept("otters.pdf", pdf(*pages("river otter")))
        follower.await_status(document_id, "embedded")
    document = system.document(document_id)
    assert follower.statuses(document_id) == STAGES
    assert document["embeddedCount"] == document["chunkCount"] > 0
    assert document["pageCount"] == 3
    assert document["stages"]["embedding"]["endedAt"] >= document["stages"]["parsing"]["endedAt"]
    best = system.search("The river otter has 2 properties that everybody should know.")[0]
    assert best["documentId"] == document_id
    assert best["score"] > 0.5


def test_each_event_has_the_metadata_of_its_status(system: System) -> None:
    with following(system) as follower:
        document_id = system.accept("herons.pdf", pdf(*pages("grey heron")))
        follower.await_status(document_id, "embedded")
    metadata = {event["status"]: event["metadata"] for event in follower.events(document_id)}
    assert metadata["parsing_started"].keys() >= {"filename", "fileType", "size"}
    assert metadata["parsing"].items() >= {"pagesDone": 3, "pageCount": 3}.items()
    assert metadata["parsed"].keys() >= {"filename", "chunkCount", "pageCount", "tokenCount"}
    assert metadata["embedding"].keys() >= {"filename", "embeddedCount", "chunkCount"}
    assert metadata["embedded"]["embeddingCount"] == metadata["parsed"]["chunkCount"]
    assert metadata["embedded"].items() >= {"dimensions": 384}.items()
    assert {event["attempt"] for event in follower.events(document_id)} == {1}


def test_a_large_document_spreads_over_batches_and_counts_up(system: System) -> None:
    text = "\n\n".join(
        f"Paragraph {n}. " + "The lighthouse keeper notes the weather each hour. " * 12 for n in range(40)
    )
    with following(system) as follower:
        document_id = system.accept("log.txt", text.encode())
        follower.await_status(document_id, "embedded")
    counts = [
        e["metadata"]["embeddedCount"] for e in follower.events(document_id) if e["status"] == "embedding"
    ]
    assert counts == sorted(set(counts))
    assert counts[0] == 0
    assert len(counts) > 2


def test_the_chunks_of_a_document_come_in_order_and_page_by_page(system: System) -> None:
    document_id = system.accept("voles.pdf", pdf(*pages("water vole", 5)))
    system.finished(document_id)
    chunks = system.get(f"/api/v1/documents/{document_id}/chunks?limit=200")["items"]
    assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0]["pageStart"] == 1
    assert chunks[-1]["pageEnd"] == 5
    assert max(chunk["tokenCount"] for chunk in chunks) <= 256


def test_a_cursor_that_no_chunk_can_have_is_refused(system: System) -> None:
    with system.client() as client:
        answers = [client.get(f"/api/v1/documents/x/chunks?cursor={wrong}") for wrong in (-1, 2**31, "x")]
    assert [answer.status_code for answer in answers] == [422] * 3


def test_markdown_and_html_are_searchable_too(system: System) -> None:
    markdown = system.accept(
        "notes.md", b"# Beekeeping\n\nA smoker calms the bees before the hive is opened.\n"
    )
    html = system.accept(
        "page.html", b"<!doctype html><h1>Sails</h1><p>A spinnaker is set when running downwind.</p>"
    )
    assert system.finished(markdown)["fileType"] == "text/markdown"
    assert system.finished(html)["fileType"] == "text/html"
    assert system.search("What calms bees before opening a hive?")[0]["documentId"] == markdown
    assert system.search("sail for running downwind")[0]["documentId"] == html


def test_the_same_bytes_again_are_answered_with_the_same_document(system: System) -> None:
    content = pdf("A ferry crosses the strait twice a day.")
    document_id = system.accept("ferry.pdf", content)
    system.finished(document_id)
    again = system.upload("another-name.pdf", content)
    assert (again.status_code, again.json()["documentId"]) == (200, document_id)
    forced = system.upload("ferry.pdf", content, force="true")
    assert (forced.status_code, forced.json()["attempt"]) == (202, 2)
    assert system.finished(document_id)["attempt"] == 2
    assert [
        hit["documentId"] for hit in system.search("ferry across the strait", documentIds=[document_id])
    ] == [document_id]


def test_a_document_that_is_deleted_is_gone_from_everything(system: System) -> None:
    document_id = system.accept("wren.pdf", pdf(*pages("winter wren")))
    system.finished(document_id)
    with following(system) as follower, system.client() as client:
        assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
        until(lambda: any(kind == "document_deleted" for kind, _, _ in follower.frames))
        assert client.get(f"/api/v1/documents/{document_id}").status_code == 404
        assert client.get(f"/api/v1/documents/{document_id}/chunks").status_code == 404
    assert not system.search("winter wren", documentIds=[document_id])
    assert not (system.directory / "objects" / "documents" / document_id).exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("scan.pdf", scanned_pdf(2), "no_text_layer"),
        ("secret.pdf", encrypted_pdf("Nobody reads this.", password="sesame"), "encrypted"),
        ("half.pdf", truncated_pdf("Only the first part of this file is here.", keep=0.3), "corrupt"),
        ("circle.pdf", cyclic_pdf(), "corrupt"),
    ],
)
def test_a_file_that_cannot_be_parsed_fails_with_its_code_and_the_worker_lives_on(
    system: System, name: str, content: bytes, code: str
) -> None:
    with following(system) as follower:
        document_id = system.accept(name, content)
        follower.await_status(document_id, "failed")
        failed = follower.events(document_id)[-1]["metadata"]
    assert failed["code"] == code
    assert failed["stage"] == "parsing"
    assert failed["error"].endswith(".")
    assert failed["retryable"] is False
    assert system.document(document_id)["error"]["code"] == code
    after = system.accept(f"after-{name}", pdf(f"This came after {name}, and is parsed."))
    assert system.finished(after)["status"] == "embedded"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("photo.pdf", PNG, 415),
        ("empty.pdf", b"", 422),
        ("binary.txt", bytes(range(256)) * 8, 415),
    ],
)
def test_what_is_no_document_is_refused_at_the_door(
    system: System, name: str, content: bytes, status: int
) -> None:
    answer = system.upload(name, content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_an_archive_that_would_be_word_and_unpacks_to_nothing_readable_fails_as_corrupt(
    system: System,
) -> None:
    document = system.finished(system.accept("bomb.pdf", BOMB))

    assert (document["status"], document["error"]["code"]) == ("failed", "corrupt")


def test_an_upload_of_101_megabytes_is_refused(system: System) -> None:
    answer = system.upload("huge.pdf", b"%PDF-1.7\n" + bytes(101 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The file is larger than 104857600 bytes."


def test_retry_is_refused_while_a_document_is_processed_and_accepted_after(system: System) -> None:
    with following(system) as follower, system.client() as client:
        document_id = system.accept("crane.pdf", scanned_pdf(3))
        follower.await_status(document_id, "failed")
        again = client.post(f"/api/v1/documents/{document_id}/retry")
        assert (again.status_code, again.json()["attempt"]) == (202, 2)
        meanwhile = client.post(f"/api/v1/documents/{document_id}/retry")
        if meanwhile.status_code != 409:  # the second attempt had ended by then
            assert (meanwhile.status_code, meanwhile.json()["attempt"]) == (202, 3)
    assert system.finished(document_id)["status"] == "failed"


def test_curl_sees_connected_and_the_webhook_reaches_it(system: System) -> None:
    stream = subprocess.Popen(
        ["curl", "-sN", "-H", "Accept: text/event-stream", f"{system.url}/api/v1/events"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stream.stdout is not None
        assert stream.stdout.readline().startswith("retry: ")
        until_line(stream, "event: connected")
        answer = subprocess.run(
            [
                "curl", "-s", "-X", "POST", f"{system.url}/api/v1/events/webhook/document-processing",
                "-H", "Content-Type: application/json", "-H", f"X-Webhook-Key: {system.api_key}",
                "-d", '{"documentId":"test","status":"embedded","message":"Test"}',
            ],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        assert json.loads(answer.stdout)["accepted"] is True
        data: dict[str, object] = {"documentId": None}
        while data["documentId"] != "test":  # others' documents may be on their way
            until_line(stream, "event: document_processing")
            data = json.loads(until_line(stream, "data: ").removeprefix("data: "))
        assert (data["documentId"], data["status"], data["message"]) == ("test", "embedded", "Test")
        assert data["source"] == "webhook:internal"
    finally:
        stream.kill()
        stream.wait()


def until_line(process: "subprocess.Popen[str]", prefix: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(prefix):
            return line.strip()
    raise AssertionError(f"the stream ended before {prefix!r}")


def test_the_webhook_tells_what_is_wrong(system: System) -> None:
    path = f"{system.url}/api/v1/events/webhook/document-processing"
    key = {"X-Webhook-Key": system.api_key}
    assert httpx.post(path, json={"documentId": "x", "status": "parsed"}).status_code == 401
    assert (
        httpx.post(path, content=b"{", headers={**key, "Content-Type": "application/json"}).status_code == 400
    )
    assert httpx.post(path, content=b"{}", headers={**key, "Content-Type": "text/plain"}).status_code == 415
    unknown = httpx.post(path, json={"documentId": "a b", "status": "done"}, headers=key)
    assert unknown.status_code == 422
    assert {error["field"] for error in unknown.json()["errors"]} == {"documentId", "status"}
    large = {"documentId": "x", "status": "parsed", "message": "m" * 70_000}
    assert httpx.post(path, json=large, headers=key).status_code == 413


def test_the_list_and_the_stream_from_its_position_are_complete(system: System) -> None:
    before = system.get("/api/v1/documents?limit=200")
    system.notify(documentId="position-test", status="parsing_started")
    with following(system, after=before["position"]) as follower:
        until(lambda: follower.statuses("position-test") == ["parsing_started"])


def test_what_a_stream_has_shown_is_in_the_document_and_in_the_list(system: System) -> None:
    with following(system, documentId="shown") as follower:
        for number in range(10):
            message = f"Page {number} is done."
            assert system.notify(documentId="shown", status="parsing", message=message).status_code == 202
            until(lambda: [event["message"] for event in follower.events()][number:] == [message])  # noqa: B023 - called at once
            listed = {one["documentId"]: one for one in system.get("/api/v1/documents")["items"]}
            assert (system.document("shown")["message"], listed["shown"]["message"]) == (message, message)


def test_the_command_finds_a_running_system_in_order(system: System) -> None:
    environment = command_environment(STAGECAST_URL=system.url, STAGECAST_WEBHOOK_KEY=system.api_key)
    doctor = subprocess.run(
        [*STAGECAST, "doctor"], env=environment, capture_output=True, text=True, check=False
    )
    assert [line.split()[0] for line in doctor.stdout.splitlines()] == ["ok"] * 5, (
        doctor.stdout + doctor.stderr
    )
