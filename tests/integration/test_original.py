"""The original of a document, as people get it back."""

import hashlib
import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.support.guarded import Guarded, bearer
from tests.support.system import System, plain_client

NAME = "Ärger mit <b> Namen; 'so'.html"
BYTES = f"<script>alert(1)</script> {secrets.token_hex(8)} ".encode() + bytes(range(32, 127)) * 5000


@pytest.fixture(scope="module")
def client(system: System) -> Iterator[httpx.Client]:
    with plain_client(system.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def address(client: httpx.Client) -> str:
    answer = client.post("/api/v1/documents", files={"file": (NAME, BYTES, "text/html")})
    return f"{answer.raise_for_status().headers['Location']}/content"


def test_the_original_comes_back_as_it_was_for_saving_and_nothing_in_it_can_run(
    client: httpx.Client, address: str
) -> None:
    answer = client.get(address)

    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''%C3%84rger%20mit%20%3Cb%3E%20Namen" in answer.headers["Content-Disposition"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(BYTES).hexdigest()}"'
    assert answer.headers["Content-Length"] == str(len(BYTES))


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, len(BYTES)),
        ("bytes=-7", len(BYTES) - 7, len(BYTES)),
        (f"bytes=3-{len(BYTES) * 2}", 3, len(BYTES)),
    ],
)
def test_a_range_is_answered_with_that_part(
    client: httpx.Client, address: str, asked: str, start: int, end: int
) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (206, BYTES[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(BYTES)}"


@pytest.mark.parametrize("asked", ["pages=1-2", "bytes=-", "bytes=x-y", "bytes=9-3"])
def test_of_what_is_no_range_all_is_sent(client: httpx.Client, address: str, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (200, BYTES)


@pytest.mark.parametrize("asked", [f"bytes={len(BYTES)}-", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(client: httpx.Client, address: str, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(BYTES)}")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_who_has_it_already_gets_no_bytes_and_who_has_another_gets_all(
    client: httpx.Client, address: str
) -> None:
    etag = client.get(address).headers["ETag"]

    same = client.get(address, headers={"If-None-Match": etag})
    other = client.get(address, headers={"Range": "bytes=0-1", "If-Range": '"another"'})

    assert (same.status_code, same.content) == (304, b"")
    assert (other.status_code, other.content) == (200, BYTES)


def test_a_document_that_was_only_reported_has_no_original(client: httpx.Client, system: System) -> None:
    report = {"documentId": f"reported-{secrets.token_hex(4)}", "status": "embedded"}
    key = {"X-Webhook-Key": system.api_key}
    client.post("/api/v1/events/webhook/document-processing", json=report, headers=key).raise_for_status()
    client.get("/api/v1/documents").raise_for_status()  # which awaits the projection

    answer = client.get(f"/api/v1/documents/{report['documentId']}/content")

    assert (answer.status_code, "never here" in answer.json()["detail"]) == (404, True)


def test_another_owners_original_is_not_there(guarded: Guarded) -> None:
    document = guarded.owned("olga", f"original-{secrets.token_hex(4)}")
    with guarded.client() as client:
        path = f"/api/v1/documents/{document}/content"

        assert client.get(path, headers=bearer("otto")).json()["detail"] == "There is no such document."
        # Hers has lost its bytes, which she is told.
        assert client.get(path, headers=bearer("olga")).json()["detail"] == "This document's file is gone."


def test_a_document_tells_its_title(client: httpx.Client, system: System) -> None:
    text = f"# The keeper's handbook\n\nOf lamps and oil, {secrets.token_hex(4)}.".encode()
    answer = client.post("/api/v1/documents", files={"file": ("handbook.md", text, "text/markdown")})
    system.finished(answer.json()["documentId"])

    assert client.get(answer.headers["Location"]).json()["title"] == "The keeper's handbook"
