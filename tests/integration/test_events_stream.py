"""The event stream of a real API process on a real broker, by the clients that people use."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.fakes.waiting import wait_until
from tests.support.log_events import numbered, publish
from tests.support.system import Follower, System, following

STREAM = "/api/v1/events"


@pytest.fixture(scope="module")
def api(
    module_vhost_url: str, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    settings = {"HEARTBEAT_SECONDS": "1", "EVENT_CONNECTIONS": "60"}
    system = System(tmp_path_factory.mktemp("events"), module_vhost_url, module_database_url, settings)
    try:
        system.start("api")
        yield system
    finally:
        system.stop()


ASK = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


def report(api: System, document_id: str, status: str = "parsing", **more: object) -> str:
    answer = api.notify(documentId=document_id, status=status, **more)
    assert answer.status_code == 202, answer.text
    event_id: str = answer.json()["eventId"]
    return event_id


def event_ids(follower: Follower, document_id: str) -> list[str]:
    return [data["eventId"] for kind, _, data in follower.frames if data.get("documentId") == document_id]


def connected_position(follower: Follower) -> str:
    position: str = next(data["position"] for kind, _, data in follower.frames if kind == "connected")
    return position


def test_curl_sees_retry_first_then_connected_then_the_event_and_only_line_feeds(api: System) -> None:
    with subprocess.Popen(
        ["curl", "-sN", "-H", "Accept: text/event-stream", api.url + STREAM], stdout=subprocess.PIPE
    ) as curl:
        assert curl.stdout is not None
        received = b""
        while b"event: connected\n" not in received:
            received += curl.stdout.readline()
        event_id = report(api, "curl-1", message="Seen by curl")
        while event_id.encode() not in received:
            received += curl.stdout.readline()
        curl.kill()
    assert received.startswith(b"retry: ")
    assert b"\r" not in received
    assert b"\n\n\n" not in received


@pytest.mark.parametrize(
    "message",
    [
        "one\nevent: reset\ndata: {}\n\nid: 1\n",
        "a\r\n\r\ndata: injected\rid: 9-00000000",
        "a\u2028b\u2029c\u0085d\x0be",
        "Ωμέγα 🦦 \u202e abc \ufeff",
        "ß" * 2000,
    ],
)
def test_any_message_arrives_as_one_event_with_that_message(api: System, message: str) -> None:
    document_id = f"message-{abs(hash(message))}"
    with following(api, documentId=document_id) as follower:
        report(api, document_id, message=message)
        wait_until(lambda: event_ids(follower, document_id))
        mine = [data for kind, _, data in follower.frames if kind == "document_processing"]
    assert [data["message"] for data in mine] == [message]
    assert {kind for kind, _, _ in follower.frames} <= {"connected", "heartbeat", "document_processing"}


def test_an_event_of_64_kilobytes_arrives_whole(api: System) -> None:
    text = "x" * 60_000 + "\n" + "é" * 1000
    with following(api, documentId="large") as follower:
        report(api, "large", metadata={"note": text})
        wait_until(lambda: event_ids(follower, "large"))
    assert follower.events("large")[0]["metadata"]["note"] == text


@pytest.mark.parametrize(
    "junk", ["x", "0", "../../etc", "1-zzzzzzzz", "٣-00000000", "99-0123456", "-1-", "a" * 5000]
)
def test_an_id_that_never_was_gives_reset_and_then_the_tail(api: System, junk: str) -> None:
    with following(api, documentId="junk", lastEventId=junk) as follower:
        wait_until(lambda: any(kind == "reset" for kind, _, _ in follower.frames))
        before = len(event_ids(follower, "junk"))
        event_id = report(api, "junk")
        wait_until(lambda: event_id in event_ids(follower, "junk"))
    reset = next(data for kind, _, data in follower.frames if kind == "reset")
    assert reset["reason"] == "unknown"
    assert before == 0


@pytest.mark.parametrize("name", ["lastEventId", "last_event_id", "evs_last_event_id"])
def test_the_position_of_connected_handed_back_by_any_name_gives_exactly_what_followed(
    api: System, name: str
) -> None:
    document_id = f"position-{name}"
    with following(api) as first:
        position = connected_position(first)
        expected = [report(api, document_id) for _ in range(5)]
        wait_until(lambda: len(event_ids(first, document_id)) == 5)
    with following(api, **{name: position}) as second:
        wait_until(lambda: len(event_ids(second, document_id)) == 5)
    assert event_ids(second, document_id) == event_ids(first, document_id) == expected
    assert connected_position(second) == position


def test_filters_let_the_same_through_in_replay_and_in_the_tail(api: System) -> None:
    with following(api) as everything:
        position = connected_position(everything)
    query = {"status": "failed", "fileType": "pdf", "source": "webhook:internal"}
    with following(api, **query) as tail:
        for index in range(20):
            status = "failed" if index % 2 else "parsing"
            report(
                api, f"filter-{index}", status, metadata={"filename": f"f.{'pdf' if index % 3 else 'txt'}"}
            )
        last = report(api, "filter-last", "failed", metadata={"filename": "F.PDF"})
        wait_until(lambda: last in [data.get("eventId") for _, _, data in tail.frames])
    with following(api, lastEventId=position, **query) as replay:
        wait_until(lambda: last in [data.get("eventId") for _, _, data in replay.frames])
    seen = [
        [(at, data) for kind, at, data in one.frames if kind == "document_processing"]
        for one in (tail, replay)
    ]
    assert seen[0] == seen[1]
    assert len(seen[0]) == len([index for index in range(20) if index % 2 and index % 3]) + 1


def test_snapshot_and_tail_meet_without_gap_or_repeat_while_events_pour(api: System) -> None:
    stopped = threading.Event()
    sent: list[int] = []

    def pour() -> None:
        while not stopped.is_set():
            report(api, f"snap-{len(sent) % 5}", message=str(len(sent)))
            sent.append(len(sent))

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        wait_until(lambda: len(sent) >= 5)
        seen = [_pouring(api) for _ in range(4)]
    finally:
        stopped.set()
        thread.join()
    for numbers in seen:
        # The newest of each of five documents, then every one: consecutive numbers are what has no gap.
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _pouring(api: System) -> list[int]:
    """The numbers that a client sees who begins with a snapshot."""
    with following(api, snapshot="true") as follower:
        wait_until(lambda: sum(data["documentId"].startswith("snap-") for data in follower.events()) > 12)
    events = [data for kind, _, data in follower.frames if kind == "document_processing"]
    return [int(data["message"]) for data in events if data["documentId"].startswith("snap-")]


def test_one_stream_too_many_is_a_503_that_says_when_to_come_back(api: System) -> None:
    sockets = []
    try:
        answer = b""
        for _ in range(70):
            connection = socket.create_connection(("127.0.0.1", api.ports["api"]), timeout=5)
            sockets.append(connection)
            connection.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = connection.recv(4096)
            if not answer.startswith(b"HTTP/1.1 200"):
                break
    finally:
        for connection in sockets:
            connection.close()
    assert answer.startswith(b"HTTP/1.1 503"), answer
    assert b"application/problem+json" in answer
    assert b"retry-after: " in answer.lower()
    # All of them are noticed as gone.
    wait_until(lambda: _opens(api), within=10)


def _opens(api: System) -> bool:
    with api.client() as client, client.stream("GET", STREAM) as response:
        return response.status_code == 200


def test_a_long_replay_comes_whole_and_does_not_hold_the_tail_back(
    module_vhost_url: str, api: System
) -> None:
    with following(api) as before:
        position = connected_position(before)
    publish(module_vhost_url, numbered(3000, "deep"))
    api.kill("api")  # what is older than the newest 2,000 comes from the broker then
    api.start("api")
    with (
        following(api, documentId="tail") as tail,
        following(api, documentId="deep", lastEventId=position) as replay,
    ):
        event_id = report(api, "tail")
        began = time.monotonic()
        wait_until(lambda: event_id in event_ids(tail, "tail"))
        waited = time.monotonic() - began
        wait_until(lambda: len(event_ids(replay, "deep")) >= 3000)
    assert event_ids(replay, "deep") == [f"deep-{number}" for number in range(3000)]
    assert waited < 2


def test_sigterm_ends_streams_within_two_seconds_also_of_clients_that_do_not_read(
    vhost_url: str, fresh_database_url: str, tmp_path: Path
) -> None:
    system = System(tmp_path, vhost_url, fresh_database_url)
    system.start("api")
    try:
        idle = socket.create_connection(("127.0.0.1", system.ports["api"]))
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(ASK)
        many = [_open_stream(system.ports["api"]) for _ in range(300)]
        with following(system) as follower:
            publish(vhost_url, numbered(300, "flood", message="x" * 2000))
            wait_until(lambda: len(event_ids(follower, "flood")) == 300)
            process = system.processes["api"]
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            took = time.monotonic() - began
            wait_until(lambda: any(kind == "reconnect" for kind, _, _ in follower.frames))
        told = sum(b'event: reconnect\ndata: {"reason":"shutdown"}' in _read_to_end(one) for one in many)
        idle.close()
    finally:
        system.stop()
    assert took < 4, f"the process took {took:.1f} s"
    assert told == len(many)
    assert [data for kind, _, data in follower.frames if kind == "reconnect"] == [{"reason": "shutdown"}]


def _open_stream(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(ASK)
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def _read_to_end(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as received:
        return received.read()


def test_the_stream_is_described_in_openapi(api: System) -> None:
    described = json.loads(httpx.get(api.url + "/openapi.json").text)["paths"][STREAM]["get"]
    assert "text/event-stream" in described["responses"]["200"]["content"]
