"""What a stream is sent as time passes, and when it ends; on a clock that needs no waiting."""

import asyncio
import re
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from contracts.statuses import Status
from services.api.access.caller import LOCAL_USER, Caller
from services.api.log.entry import MARKER_TYPE, Entry, read_entry
from services.api.log.event_log import EventLog
from services.api.log.position import Position
from services.api.log.ring import Ring
from services.api.refusals import Refused
from services.api.stream.batches import Batch
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
from services.api.stream.sse import COMMENT
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.subscriber import Subscriber
from tests.support.fakes.entries import entry

ALL = View(LOCAL_USER, Filter())
FAILED_ONLY = View(LOCAL_USER, Filter(statuses=frozenset({"failed"})))


class Clock(asyncio.SelectorEventLoop):
    """An event loop that jumps over the time in which nothing happens."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.now


class _Jumping(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.now += timeout or 0.0
        return super().select(0)


class Wire(Subscriber):
    """A connection that notes what is written, and when; ``peer_reads`` tells whether it ever gets out."""

    __slots__ = ("ended_at", "gone_at", "peer_reads", "written")

    def __init__(self, *, peer_reads: bool = True) -> None:
        super().__init__()
        self.written: list[tuple[float, bytes]] = []
        self.ended_at: float | None = None
        self.gone_at: float | None = None
        self.peer_reads = peer_reads

    def _send(self, batch: Batch, sent: int) -> None:
        self._write(batch.data)

    def _write(self, *frames: bytes) -> None:
        self.written.append((asyncio.get_running_loop().time(), b"".join(frames)))
        if not self.peer_reads:
            self.pause_writing()

    def _finish(self, *frames: bytes) -> None:
        self._write(*frames)
        self.ended_at = asyncio.get_running_loop().time()
        if self.peer_reads:
            self.abort()

    def abort(self) -> None:
        self.gone_at = asyncio.get_running_loop().time()
        self.connection_gone()

    def times(self, part: bytes) -> list[float]:
        return [at for at, data in self.written if part in data]

    def text(self) -> bytes:
        return b"".join(data for _, data in self.written)


@contextmanager
def clock() -> Iterator[Clock]:
    loop = Clock()
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def on_clock(
    test: Callable[[EventLog, Hub], Coroutine[Any, Any, None]], limits: StreamLimits | None = None
) -> None:
    """Run a test with a hub whose log holds one event."""

    async def run() -> None:
        event_log = EventLog("amqp://127.0.0.1:1/")
        event_log._replace(Ring(entry(0).position))
        await test(event_log, Hub(event_log, limits or StreamLimits()))

    with clock() as loop:
        loop.run_until_complete(run())


def test_retry_comes_first_in_the_block_of_connected_and_differs_between_connections() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wires = [Wire() for _ in range(20)]
        for wire in wires:
            hub.open(wire, StreamRequest(ALL))
        first_lines = {wire.text().split(b"\n")[0] for wire in wires}
        assert all(line.startswith(b"retry: ") and line[7:].isdigit() for line in first_lines)
        assert len(first_lines) > 5
        assert all(wire.text().split(b"\n")[1] == b"event: connected" for wire in wires)

    on_clock(test)


def test_every_block_has_data_unless_events_are_filtered_away() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        tail, behind = Wire(), Wire()
        hub.open(tail, StreamRequest(ALL))
        event_log._append([entry(1), read_entry(2, MARKER_TYPE, "marker", b"marker")])
        hub.open(behind, StreamRequest(ALL, last_event_id=str(entry(0).position)))
        await asyncio.sleep(100)
        await hub.drain()
        for wire in (tail, behind):
            blocks = wire.text().replace(COMMENT, b"").removesuffix(b"\n\n").split(b"\n\n")
            assert len(blocks) == 6  # connected, an event, three heartbeats, reconnect
            assert all(b"\ndata: {" in block for block in blocks)

    on_clock(test)


def test_an_idle_stream_gets_a_heartbeat_every_30_seconds_and_comments_between() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wire = Wire()
        hub.open(wire, StreamRequest(ALL))
        start = wire.written[0][0]
        await asyncio.sleep(302)
        beats = [at - start for at in wire.times(b"event: heartbeat")]
        assert len(beats) == 10
        assert all(0 <= beat - 30 * (index + 1) <= 1.5 for index, beat in enumerate(beats))
        moments = [at for at, _ in wire.written]
        assert max(later - earlier for earlier, later in pairwise(moments)) <= 17
        comments = [data for _, data in wire.written if data.startswith(b":")]
        assert len(comments) >= 9
        assert set(comments) == {COMMENT} == {b":\n"}

    on_clock(test)


def test_the_lease_ends_a_stream_within_a_fifth_of_its_length() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wires = [Wire() for _ in range(30)]
        for wire in wires:
            hub.open(wire, StreamRequest(ALL))
        start = wires[0].written[0][0]
        await asyncio.sleep(150)
        lengths = [(wire.ended_at or 0) - start for wire in wires]
        assert all(80 <= length <= 122 for length in lengths)
        assert max(lengths) - min(lengths) > 5
        assert all(wire.text().endswith(b'event: reconnect\ndata: {"reason":"lease"}\n\n') for wire in wires)
        assert len(hub) == 0

    on_clock(test, StreamLimits(lease_seconds=100))


def test_a_stream_ends_with_the_token_that_opened_it() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wire = Wire()
        hub.open(wire, StreamRequest(ALL, expires_at=datetime.now(UTC).timestamp() + 20))
        start = wire.written[0][0]
        await asyncio.sleep(30)
        assert wire.ended_at is not None
        assert 19 < wire.ended_at - start < 22
        assert b'{"reason":"auth"}' in wire.text()

    on_clock(test)


def test_the_id_of_a_filtered_client_moves_on_while_other_events_pour() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        wire = Wire()
        hub.open(wire, StreamRequest(FAILED_ONLY))
        for offset in range(1, 61):
            await asyncio.sleep(1)
            event_log._append([entry(offset)])
        cursors = [(at, data) for at, data in wire.written if data.startswith(b"id: ")]
        assert all(b"data:" not in data for _, data in cursors if b"heartbeat" not in data)
        moments = [at for at, _ in cursors]
        assert len(moments) >= 9
        assert max(later - earlier for earlier, later in pairwise(moments)) <= 7

    on_clock(test)


def test_the_id_of_a_filtered_client_is_not_repeated_when_nothing_happens() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        wire = Wire()
        hub.open(wire, StreamRequest(FAILED_ONLY))
        event_log._append([entry(1)])
        await asyncio.sleep(100)
        assert len(wire.times(b"id: ")) == 1

    on_clock(test)


def test_a_client_that_takes_nothing_for_a_minute_is_closed_and_told_where_it_was() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        wire = Wire(peer_reads=False)
        hub.open(wire, StreamRequest(ALL))
        position = event_log.head
        event_log._append([entry(1)])
        await asyncio.sleep(80)
        assert f'event: reset\ndata: {{"reason":"slow","position":"{position}"}}' in wire.text().decode()
        assert wire.gone_at is not None  # cut off: it didn't take the goodbye either
        assert len(hub) == 0

    on_clock(test)


def test_a_drain_ends_every_stream_within_two_seconds_even_of_those_who_do_not_read() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wires = [Wire(peer_reads=index != 7) for index in range(300)]
        for wire in wires:
            hub.open(wire, StreamRequest(ALL))
        start = asyncio.get_running_loop().time()
        await hub.drain()
        assert asyncio.get_running_loop().time() - start < 2
        assert len(hub) == 0
        assert all(b'event: reconnect\ndata: {"reason":"shutdown"}' in wire.text() for wire in wires)
        with pytest.raises(Refused) as refused:
            hub.admit(ALL)
        assert refused.value.status == 503

    on_clock(test)


def test_a_user_and_the_process_have_their_limits_and_both_say_when_to_come_back() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        ann, ben = (View(Caller(name, sees_all=False), Filter()) for name in ("ann", "ben"))
        wires = [Wire(), Wire()]
        for wire in wires:
            hub.admit(ann)
            hub.open(wire, StreamRequest(ann))
        with pytest.raises(Refused) as refused:
            hub.admit(ann)
        assert refused.value.status == 429
        assert refused.value.retry_after
        hub.admit(ben)
        hub.open(Wire(), StreamRequest(ben))
        with pytest.raises(Refused) as full:
            hub.admit(ben)
        assert full.value.status == 503
        assert full.value.retry_after
        wires[0].abort()
        hub.admit(ann)

    on_clock(test, StreamLimits(connections=3, connections_per_user=2))


def test_heartbeats_go_on_while_a_replay_waits_for_a_broker_that_is_away() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        wire = Wire()
        hub.open(wire, StreamRequest(ALL, last_event_id=str(Position.start())))
        await asyncio.sleep(65)
        assert len(wire.times(b"event: heartbeat")) == 2
        assert wire.ended_at is None

    on_clock(test)


def test_an_event_concerns_nobody_but_those_who_see_it_and_their_ids_move_on_all_the_same() -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        wires = [Wire() for _ in range(300)]
        for number, wire in enumerate(wires):
            caller = Caller(f"owner{number % 100}", sees_all=False)
            of_some = Filter(statuses=frozenset({"failed"})) if number >= 200 else Filter()
            hub.open(wire, StreamRequest(View(caller, of_some)))
        event_log._append([entry(1, owner_id="owner7"), entry(2, owner_id="stranger")])
        assert [wire for wire in wires if wire.is_behind] == [wires[7], wires[107]]
        await asyncio.sleep(0.1)
        assert not any(wire.is_behind for wire in wires)
        assert [len(wire.times(b"document_processing")) for wire in wires] == [
            int(number in (7, 107)) for number in range(300)
        ]
        await asyncio.sleep(7)
        moved_on = f"id: {entry(2).position}\n\n".encode()
        assert all(len(wire.times(moved_on)) == 1 for wire in wires)
        event_log._append([entry(3, Status.FAILED)])  # nobody's, which everybody sees
        assert all(wire.is_behind for wire in wires)

    on_clock(test)


STARTED, PARSED = Status.PARSING_STARTED, Status.PARSED


def half_a_minute_of_progress() -> list[Entry]:
    """A thousand steps a second of fifty documents, which begin, are parsed and end meanwhile."""
    statuses = [STARTED, *[Status.PARSING] * 300, PARSED, *[Status.EMBEDDING] * 297, Status.EMBEDDED]
    kinds = {
        status: [entry(0, status, document_id=f"d{number}") for number in range(50)]
        for status in set(statuses)
    }
    return [
        Entry(Position.of(offset, f"e{offset}"), one.event, one.size)
        for offset, one in enumerate((one for status in statuses for one in kinds[status]), 1)
    ]


@pytest.mark.parametrize("view", [ALL, View(Caller("ann", sees_all=False), Filter())])
def test_who_is_30_seconds_behind_gets_a_twentieth_of_the_frames_and_the_same_end(view: View) -> None:
    async def test(event_log: EventLog, hub: Hub) -> None:
        event_log._append(half_a_minute_of_progress())
        late, thorough = Wire(), Wire()
        for wire, wanted in ((late, view), (thorough, replace(view, every_step=True))):
            hub.open(wire, StreamRequest(wanted, str(entry(0).position)))
        await asyncio.sleep(20)
        assert thorough.text().count(b"event: document_processing") == 30_000
        assert late.text().count(b"event: document_processing") <= 30_000 / 20
        for status in (STARTED, PARSED, Status.EMBEDDED):
            assert late.text().count(f'"status":"{status}"'.encode()) == 50
        ids, all_ids = [re.findall(rb"id: (.+)", wire.text()) for wire in (late, thorough)]
        told = set(ids)
        assert ids == [one for one in all_ids if one in told]
        assert ids[-1] == all_ids[-1]

    on_clock(test)


def test_clients_with_equal_filters_share_a_view_and_the_last_one_takes_it_away() -> None:
    async def test(_: EventLog, hub: Hub) -> None:
        wires = [Wire(), Wire(), Wire()]
        equal = View(LOCAL_USER, Filter(statuses=frozenset({"failed"})))
        for wire, view in zip(wires, (FAILED_ONLY, equal, ALL), strict=True):
            hub.open(wire, StreamRequest(view))
        assert wires[0].batches is wires[1].batches
        assert wires[0].batches is not wires[2].batches
        wires[0].abort()
        wires[1].abort()
        assert list(hub._views) == [ALL]

    on_clock(test)
