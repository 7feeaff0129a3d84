"""The event client: it comes back by itself, with the right id, and tells everything once."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from cli.api import Api
from cli.event_stream import Event, EventStream
from cli.failures import Refused, Unreachable
from tests.support.fakes.api import FakeApi, running
from tests.support.fakes.event_log import EventLog, frame

pytestmark = pytest.mark.anyio


@dataclass
class ScriptedLog(EventLog):
    """Says on each connection what the script holds for it, and closes."""

    script: list[list[bytes]] = field(default_factory=list)

    async def stream(self, resume: str | None, only: frozenset[str]) -> AsyncIterator[bytes]:
        self.opened.append(resume)
        yield b"retry: 10\n\n"
        for part in self.script[min(len(self.opened), len(self.script)) - 1]:
            yield part


def connected(position: str = "0-0") -> bytes:
    return frame("connected", {"clientId": "c", "serverTime": "t", "position": position})


def processing(event_id: str, position: str) -> bytes:
    return frame("document_processing", {"eventId": event_id, "documentId": "d"}, position)


async def first(log: EventLog, count: int, kind: str = "document_processing") -> list[Event]:
    """The first notices of a kind that a new client gets."""
    got: list[Event] = []
    with running(FakeApi(log=log)) as server:
        async with Api(server.url) as api, aclosing(EventStream(api).__aiter__()) as notices:
            async for notice in notices:
                got += [notice] if notice.kind == kind else []
                if len(got) == count:
                    return got
    raise AssertionError("the stream ended")


def event_ids(notices: list[Event]) -> list[str]:
    return [notice.data["eventId"] for notice in notices]


async def test_after_a_cut_it_comes_back_with_the_last_id() -> None:
    log = ScriptedLog(script=[[connected(), processing("a", "1-0")], [connected(), processing("b", "2-0")]])

    assert event_ids(await first(log, 2)) == ["a", "b"]
    assert log.opened == [None, "1-0"]


async def test_cut_before_the_first_event_it_comes_back_with_the_position_of_connected() -> None:
    log = ScriptedLog(script=[[connected("7-0")], [connected("9-0"), processing("a", "9-1")]])

    await first(log, 1)

    assert log.opened == [None, "7-0"]


async def test_an_event_that_is_sent_twice_is_told_once() -> None:
    again = [connected(), processing("a", "1-0"), processing("a", "1-0"), processing("b", "2-0")]
    log = ScriptedLog(script=[again, [connected(), processing("b", "2-0"), processing("c", "3-0")]])

    assert event_ids(await first(log, 3)) == ["a", "b", "c"]


async def test_a_frame_with_an_id_alone_moves_the_cursor_and_tells_nothing() -> None:
    log = ScriptedLog(script=[[connected(), b"id: 55-0\n\n"], [connected(), processing("a", "56-0")]])

    await first(log, 1)

    assert log.opened == [None, "55-0"]


async def test_a_comment_tells_nothing() -> None:
    log = ScriptedLog(script=[[connected(), b": still here\n", processing("a", "1-0")]])

    assert event_ids(await first(log, 1)) == ["a"]


async def test_an_event_cut_in_its_middle_is_taken_from_the_next_connection() -> None:
    whole = processing("b", "2-0")
    log = ScriptedLog(script=[[connected(), processing("a", "1-0"), whole[:-10]], [connected(), whole]])

    assert event_ids(await first(log, 2)) == ["a", "b"]
    assert log.opened == [None, "1-0"]


async def test_a_reset_is_told_and_its_position_replaces_the_id() -> None:
    reset = frame("reset", {"reason": "unknown", "position": "40-1"})
    beat = frame("heartbeat", {"serverTime": "t"})
    log = ScriptedLog(
        script=[[connected(), processing("a", "1-0"), reset, beat], [connected(), processing("b", "41-1")]]
    )

    await first(log, 2)

    assert log.opened == [None, "40-1"]


async def test_data_that_is_no_object_is_passed_over() -> None:
    junk = b"event: document_processing\ndata: [1]\n\nevent: document_processing\ndata: {\n\n"
    log = ScriptedLog(script=[[connected(), junk, processing("a", "1-0")]])

    assert event_ids(await first(log, 1)) == ["a"]


async def test_the_first_connection_refused_is_an_error() -> None:
    async with Api("http://127.0.0.1:9") as api:
        with pytest.raises(Unreachable):
            await anext(EventStream(api).__aiter__())


async def test_an_answer_that_is_no_stream_is_an_error() -> None:
    with running(FakeApi()) as server:
        async with Api(server.url + "/healthz?") as api:
            with pytest.raises(Refused):
                await anext(EventStream(api).__aiter__())


async def test_a_server_that_was_there_is_waited_for() -> None:
    heard: list[bool] = []
    with running(FakeApi()) as server:
        async with Api(server.url) as api:
            stream = EventStream(api, on_lost=lambda _, failure: heard.append(failure is not None))
            async with aclosing(stream.__aiter__()) as notices:
                assert (await anext(notices)).kind == "connected"
                server.cut()
                assert (await anext(notices)).kind == "connected"
    assert heard == [False]
