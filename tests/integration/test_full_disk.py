"""A disk that is nearly full: nothing new is taken, everything else goes on, and all of it when there is room."""

import asyncio
import http.client
import json
from collections.abc import Iterator

import aio_pika
import httpx
import pytest

from contracts import topology
from tests.integration.test_faults_admission import readiness
from tests.support.small_file_system import MIB, SmallFileSystem, small_file_system
from tests.support.system import System, following, until

RESERVE = 4 * MIB


@pytest.fixture
def disk(own_system: System) -> Iterator[SmallFileSystem]:
    """The file system of the objects."""
    with small_file_system(own_system.directory / "objects", 64) as mounted:
        own_system.settings |= {"DISK_RESERVE_BYTES": str(RESERVE)}
        own_system.modules |= {"embedder": "tests.support.fakes.dummy_embedder"}
        yield mounted
        own_system.stop()


def consumers(system: System, stage: str) -> int:
    async def ask() -> int:
        async with await aio_pika.connect(system.rabbitmq_url) as connection:
            queue = await (await connection.channel()).get_queue(topology.work_queue(stage).name)
            return queue.declaration_result.consumer_count or 0

    return asyncio.run(ask())


def assert_refused_for_the_disk(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "disk" in answer.json()["detail"]


def test_below_the_reserve_nothing_new_is_taken_and_all_else_goes_on(
    own_system: System, disk: SmallFileSystem
) -> None:
    own_system.start("api", "parser", "embedder")
    document_id = own_system.accept("first.txt", b"The lighthouse keeper counts the ships.")
    own_system.finished(document_id)
    with following(own_system) as stream:
        disk.fill(leave=RESERVE - MIB)
        until(lambda: readiness(own_system, "api").status_code == 503)
        assert "DISK_RESERVE_BYTES" in readiness(own_system, "api").json()["disk"]
        assert_refused_for_the_disk(own_system.upload("second.txt", b"There is no room for me."))
        assert_refused_for_the_disk(own_system.notify(documentId="external", status="parsing"))
        with own_system.client() as client:
            assert_refused_for_the_disk(client.post(f"/api/v1/documents/{document_id}/retry"))
        until(lambda: (consumers(own_system, "parse"), consumers(own_system, "embed")) == (0, 0))
        for name in ("parser", "embedder"):
            assert readiness(own_system, name).json()["disk"]
        assert own_system.search("lighthouse")[0]["documentId"] == document_id
        with own_system.client() as client:
            assert client.delete(f"/api/v1/documents/{document_id}").status_code == 204
        until(
            lambda: (
                ("document_deleted", document_id)
                in [(kind, data.get("documentId")) for kind, _, data in stream.frames]
            )
        )
        assert own_system.get("/api/v1/documents")["items"] == []
        disk.make_room()
        until(lambda: readiness(own_system, "api").status_code == 200, within=10)
        again = own_system.accept("second.txt", b"There is room for me now.")
        assert own_system.finished(again)["status"] == "embedded"


def test_a_file_that_would_not_fit_is_refused_before_its_bytes_are_read(
    own_system: System, disk: SmallFileSystem
) -> None:
    disk.fill(leave=RESERVE + 2 * MIB)
    own_system.start("api")
    connection = http.client.HTTPConnection("127.0.0.1", own_system.ports["api"], timeout=20)
    connection.putrequest("POST", "/api/v1/documents")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(3 * MIB))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (503, 503)
    assert int(answer.headers["retry-after"]) > 0
    connection.close()
    assert own_system.upload("small.txt", b"Small enough.").status_code == 202
