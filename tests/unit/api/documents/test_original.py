"""The original of a document, from a disk and from a bucket: parts, conditions, and that nothing in it runs."""

import hashlib
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from services.api.documents.original import Original, OriginalGone, original_response
from services.api.http.byte_ranges import wanted_ranges
from services.api.refusals import RangeNotSatisfiable
from services.runtime.object_store import ObjectStore

CONTENT = bytes(range(256)) * 4096
TAG = '"here"'


def original(document_id: str = "one", file_type: str = "application/pdf") -> Original:
    return Original(document_id, "a.pdf", file_type, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(params=["disk", "bucket"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> ObjectStore:
    store = ObjectStore(f"file://{tmp_path}" if request.param == "disk" else "memory:///")

    async def body() -> AsyncIterator[bytes]:
        yield CONTENT

    await store.put("one", body())
    return store


@pytest.mark.anyio
async def test_several_ranges_are_sent_as_parts_of_one_answer(objects: ObjectStore) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await original_response(objects, original(), Request(scope).headers)
        await response(scope, receive, send)

    answer = TestClient(app).get("/", headers={"Range": "bytes=-3,300000-899999,0-4"})
    assert (answer.status_code, int(answer.headers["content-length"])) == (206, len(answer.content))
    message = message_from_bytes(
        f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.content
    )
    parts = [(part["content-range"], part.get_payload(decode=True)) for part in message.walk()][1:]
    size = len(CONTENT)
    assert parts == [
        (f"bytes 0-4/{size}", CONTENT[:5]),
        (f"bytes 300000-899999/{size}", CONTENT[300000:900000]),
        (f"bytes {size - 3}-{size - 1}/{size}", CONTENT[-3:]),
    ]


@pytest.mark.anyio
async def test_bytes_that_are_gone_are_told_before_the_answer_begins(objects: ObjectStore) -> None:
    for header in ({}, {"range": "bytes=0-1"}, {"range": "bytes=0-1,5-6"}):
        with pytest.raises(OriginalGone):
            await original_response(objects, original("two"), header)


@pytest.mark.anyio
@pytest.mark.parametrize("file_type", ["text/html", "image/svg+xml"])
async def test_what_a_browser_could_run_is_told_to_be_bytes(objects: ObjectStore, file_type: str) -> None:
    answer = await original_response(objects, original(file_type=file_type), {})
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-", [(0, 100)]),
        ("bytes=90-200", [(90, 100)]),
        ("bytes=-200", [(0, 100)]),
        ("bytes=50-59, 0-9,5-14", [(0, 15), (50, 60)]),
        ("bytes=0-1,200-", [(0, 2)]),
        *((ignored, []) for ignored in ("", "bytes=", "bytes=9-1", "bytes=x", "lines=0-1", "bytes=0-1,")),
        ("bytes=" + ",".join(["0-1"] * 101), []),
    ],
)
def test_ranges_are_read_as_rfc_9110_has_them(header: str, ranges: list[tuple[int, int]]) -> None:
    assert list(wanted_ranges({"range": header}, TAG, 100)) == ranges
    assert list(wanted_ranges({"range": header, "if-range": '"other"'}, TAG, 100)) == []


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=100-200,300-"])
def test_ranges_of_which_none_is_within_are_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted_ranges({"range": header}, TAG, 100)
