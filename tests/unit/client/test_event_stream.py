"""The event client for other programs: it goes on by id, drops repeats, and stops where trying is of no use."""

import asyncio
import json
from itertools import islice
from typing import Any

import httpx
import pytest

from stagecast_client import AsyncEventStream, Event, EventStream, Refused, StagecastError, Unreachable
from stagecast_client import events as module


def frame(kind: str, data: dict[str, Any], event_id: str = "") -> str:
    return (f"id: {event_id}\n" if event_id else "") + f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def status(number: int) -> str:
    return frame("document_processing", {"eventId": f"e{number}"}, f"{number}-aa")


OPENING = "retry: 100\n\n" + frame("connected", {"position": "0-aa"})


class Server:
    """Each connection gets the next answer; the last one again when there are no more."""

    def __init__(self, *answers: str | httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, text=answer, headers={"content-type": "text/event-stream; charset=utf-8"})

    def resumed(self) -> list[str | None]:
        return [request.headers.get("last-event-id") for request in self.requests]

    def stream(self, **options: Any) -> EventStream:
        return EventStream("http://stagecast", http=httpx.Client(transport=self.transport), **options)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(module, "time", type("time", (), {"sleep": taken.append}))
    monkeypatch.setattr(module, "asyncio", type("asyncio", (), {"sleep": sleep}))
    return taken


def ids(events: list[Event]) -> list[object]:
    return [event.data["eventId"] for event in events if event.kind == "document_processing"]


def test_after_a_cut_it_goes_on_after_the_last_event_and_drops_repeats() -> None:
    server = Server(
        OPENING + status(1) + status(2),
        httpx.ConnectError("away"),
        OPENING + status(2) + status(3),
        OPENING + "id: 9-aa\n\n",
        OPENING + status(10),
    )

    seen = list(islice(server.stream(), 4 + 1 + 1 + 1 + 1))

    assert ids(seen) == ["e1", "e2", "e3", "e10"]
    assert server.resumed() == [None, "2-aa", "2-aa", "3-aa", "9-aa"]


def test_without_an_event_it_goes_on_where_it_began() -> None:
    server = Server(OPENING, OPENING + status(1))

    assert ids(list(islice(server.stream(), 3))) == ["e1"]
    assert server.resumed() == [None, "0-aa"]


def test_a_reset_is_told_and_moves_the_position() -> None:
    server = Server(
        OPENING + frame("reset", {"reason": "expired", "position": "50-aa"}), OPENING + status(51)
    )
    stream = server.stream(position="1-aa")

    assert [event.kind for event in islice(stream, 4)] == [
        "connected",
        "reset",
        "connected",
        "document_processing",
    ]
    assert server.resumed() == ["1-aa", "50-aa"]
    assert stream.position == "51-aa"


def test_a_reset_counts_although_the_decoder_repeats_the_id_before_it() -> None:
    reset = frame("reset", {"reason": "unknown", "position": "40-aa"}) + frame("heartbeat", {})
    server = Server(OPENING + status(1) + reset, OPENING + status(41))

    assert ids(list(islice(server.stream(), 6))) == ["e1", "e41"]
    assert server.resumed() == [None, "40-aa"]


def test_an_event_that_is_sent_twice_on_one_connection_is_told_once() -> None:
    server = Server(OPENING + status(1) + status(1) + status(2))

    assert ids(list(islice(server.stream(), 3))) == ["e1", "e2"]


def test_an_event_cut_in_its_middle_is_taken_from_the_next_connection() -> None:
    server = Server(OPENING + status(1) + status(2)[:-10], OPENING + status(2))

    assert ids(list(islice(server.stream(), 4))) == ["e1", "e2"]
    assert server.resumed() == [None, "1-aa"]


def test_comments_and_data_that_is_no_object_are_passed_over() -> None:
    junk = ": still here\nevent: document_processing\ndata: [1]\n\nevent: document_processing\ndata: {\n\n"

    assert ids(list(islice(Server(OPENING + junk + status(1)).stream(), 2))) == ["e1"]


def test_it_asks_for_a_stream_that_no_cache_keeps() -> None:
    server = Server(OPENING)

    next(iter(server.stream()))

    assert server.requests[0].headers["accept"] == "text/event-stream"
    assert server.requests[0].headers["cache-control"] == "no-store"


def test_filters_and_a_token_that_is_asked_for_each_time() -> None:
    tokens = iter(["first", "second"])
    server = Server(OPENING, OPENING)
    stream = server.stream(token=lambda: next(tokens), document_id=["a", "b"], file_type="pdf")

    list(islice(stream, 2))

    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer first",
        "Bearer second",
    ]
    assert str(server.requests[0].url.query, "ascii") == "documentId=a&documentId=b&fileType=pdf"


@pytest.mark.parametrize("status_code", [401, 403, 404, 422])
def test_a_refusal_ends_it(status_code: int) -> None:
    with pytest.raises(Refused) as refusal:
        list(Server(httpx.Response(status_code, json={"detail": "No."})).stream())
    assert (refusal.value.status, refusal.value.detail) == (status_code, "No.")
    assert not refusal.value.passes


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>"), httpx.Response(204), httpx.Response(302)]
)
def test_what_is_no_stream_ends_it(answer: httpx.Response) -> None:
    with pytest.raises(Refused):
        list(Server(answer).stream())


@pytest.mark.parametrize("address", ["stagecast:3000", "http://[::1"])
def test_an_address_that_can_never_be_reached_ends_it(address: str) -> None:
    with EventStream(address) as stream, pytest.raises(Unreachable) as failure:
        next(iter(stream))
    assert not failure.value.passes


def test_a_token_that_can_not_be_sent_ends_it() -> None:
    with pytest.raises(Unreachable):
        next(iter(Server(httpx.LocalProtocolError("Illegal header value")).stream(token="two\nlines")))


def test_an_error_does_not_show_the_password_of_an_address() -> None:
    assert "secret" not in str(Unreachable("http://user:secret@stagecast", httpx.ConnectError("away")))


def test_each_lost_connection_is_told_with_its_reason_and_the_pause(pauses: list[float]) -> None:
    told: list[tuple[float, StagecastError | None]] = []
    server = Server(
        httpx.ConnectError("away"),
        httpx.Response(503, headers={"Retry-After": "5"}, json={"detail": "Busy."}),
        OPENING,
        OPENING,
    )

    list(islice(server.stream(on_lost=lambda *lost: told.append(lost)), 2))

    assert [seconds for seconds, _ in told] == pauses
    assert [str(failure) for _, failure in told] == [
        "No answer from http://stagecast: away. Is Stagecast running there?",
        "Busy. (HTTP 503)",
        "None",
    ]


def test_what_hears_of_a_lost_connection_can_end_the_stream() -> None:
    def give_up(_: float, failure: StagecastError | None) -> None:
        assert failure is not None
        raise failure

    with pytest.raises(Unreachable, match="away"):
        list(Server(httpx.ConnectError("away")).stream(on_lost=give_up))


def test_a_server_that_is_busy_is_given_the_time_it_asks_for(pauses: list[float]) -> None:
    server = Server(httpx.Response(503, headers={"Retry-After": "5"}), OPENING)

    list(islice(server.stream(), 1))

    assert 5 <= pauses[0] <= 6.5


def test_the_asynchronous_one_goes_on_by_id_as_well() -> None:
    server = Server(OPENING + status(1), httpx.ReadTimeout("silent"), OPENING + status(1) + status(2))

    async def read() -> list[Event]:
        seen: list[Event] = []
        http = httpx.AsyncClient(transport=server.transport)
        async with AsyncEventStream("http://stagecast", http=http) as stream:
            async for event in stream:
                seen.append(event)
                if len(seen) == 4:
                    break
        return seen

    assert ids(asyncio.run(read())) == ["e1", "e2"]
    assert server.resumed() == [None, "1-aa", "1-aa"]
