"""Whatever the interleaving of events, reads, cuts and comebacks, a client gets what it may see, once, in order.

The log, the ring, the replays, the hub and its writer are the real ones; only the broker and the network are not.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.access.caller import Caller
from services.api.log import history
from services.api.log.conflation import is_progress
from services.api.log.entry import OVERHEAD_BYTES, Entry, read_entry
from services.api.log.event_log import EventLog
from services.api.log.history import Segment
from services.api.log.ring import Ring
from services.api.stream import broadcaster, catch_up
from services.api.stream.batches import Batch
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
from services.api.stream.sse import encode_entry
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.subscriber import Subscriber

OWNERS = (None, "ann", "ben")
DOCUMENTS = ("a", "b", "c", "d", "e")
VIEWS = [
    View(Caller(None, sees_all=True), Filter()),
    View(Caller("ann", sees_all=False), Filter()),
    View(Caller("ben", sees_all=False), Filter(document_ids=frozenset({"a"}))),
    View(Caller(None, sees_all=True), Filter(statuses=frozenset({"failed"}))),
    View(Caller("ben", sees_all=False), Filter(statuses=frozenset({"parsing", "parsed"}))),
    View(Caller(None, sees_all=True), Filter(sources=frozenset({"ocr"})), every_step=True),
    View(Caller(None, sees_all=True), Filter(), every_step=True),
]
RING_BYTES = 8 * (OVERHEAD_BYTES + 300)
WINDOW_BYTES = 400


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    event: str
    id: str | None
    data: str


def parse(text: str) -> Iterator[Message]:
    """The fields of each frame; comments are no frames."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            yield Message(fields.get("event", ""), fields.get("id"), fields.get("data", ""))


class Socket(Subscriber):
    """A connection whose peer reads when the test says so."""

    __slots__ = ("ended", "gone", "unread")

    def __init__(self) -> None:
        super().__init__()
        self.unread = b""
        self.ended = False
        self.gone = False

    def _send(self, batch: Batch, sent: int) -> None:
        self._write(batch.data)

    def _write(self, *frames: bytes) -> None:
        self.unread += b"".join(frames)
        if len(self.unread) > WINDOW_BYTES and not self.paused:
            self.pause_writing()

    def _finish(self, *frames: bytes) -> None:
        self._write(*frames)
        self.ended = True

    def abort(self) -> None:
        self.cut()

    def cut(self) -> None:
        if not self.gone:
            self.gone = True
            self.connection_gone()

    def read(self) -> bytes:
        data, self.unread = self.unread, b""
        if self.paused:
            self.resume_writing()
        if self.ended:
            self.cut()
        return data


@dataclass
class Person:
    """Somebody with a browser, over all of their connections."""

    view: View
    since: int  # offset of the first event that they must see
    last_event_id: str | None = None
    socket: Socket | None = None
    newest: list[str] = field(default_factory=list)  # ids of the snapshot that they asked for
    seen: list[str] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)

    def is_owed(self, entry: Entry) -> bool:
        """Of what follows their first id, or the snapshot; who was cut off within one gets more than it had."""
        position = str(entry.position)
        is_more = bool(self.newest) and position in self.seen
        return entry.offset >= self.since or position in self.newest or is_more

    def take(self, data: bytes) -> None:
        for message in parse(data.decode()):
            if message.id is not None:
                self.last_event_id = message.id
            if message.event == "document_processing":
                assert message.id is not None
                self.seen.append(message.id)
            elif message.event == "reset":
                self.resets.append(message.data)
            elif message.event == "connected" and self.last_event_id is None and not self.newest:
                self.last_event_id = message.data.split('"position":"')[1].split('"')[0]


class Streams(RuleBasedStateMachine):
    """Events come, people come and go, the log forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.entries: list[Entry] = [self._entry(0, "a", "failed", None)]
        self.kept_from = 0
        self.next_offset = 1
        self.people: list[Person] = []
        self.log = EventLog("amqp://nowhere")
        self.log._replace(Ring(self.entries[0].position, max_bytes=RING_BYTES))
        self.log._attached.set()
        self.log._history = FakeHistoryReader(self)
        self.hub = self.loop.run_until_complete(self._make_hub())

    async def _make_hub(self) -> Hub:
        return Hub(self.log, StreamLimits())

    def _entry(
        self, offset: int, document_id: str, status: str, owner: str | None, source: str = "parser"
    ) -> Entry:
        event = StatusEvent(
            event_id=f"e{offset}",
            document_id=document_id,
            status=Status(status),
            timestamp=datetime(2026, 11, 22, tzinfo=UTC),
            owner_id=owner,
            source=source,
        )
        return read_entry(offset, "document_processing", None, event.to_wire())

    def kept(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.offset >= self.kept_from]

    def turn(self, times: int = 1) -> None:
        async def turns() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    @rule(
        events=st.lists(
            st.tuples(
                st.sampled_from(DOCUMENTS),
                st.sampled_from(["parsing", "parsing", "embedding", "parsed", "failed"]),
                st.sampled_from(OWNERS),
                st.sampled_from(["parser", "ocr"]),
            ),
            min_size=1,
            max_size=6,
        ),
        skips=st.booleans(),
    )
    def publish(self, events: list[tuple[str, str, str | None, str]], skips: bool) -> None:
        self.next_offset += skips  # as at the end of a segment
        fresh = []
        for event in events:
            fresh.append(self._entry(self.next_offset, *event))
            self.next_offset += 1
        self.entries += fresh

        async def append() -> None:
            self.log._append(fresh)

        self.loop.run_until_complete(append())

    @rule(view=st.sampled_from(VIEWS))
    def come(self, view: View) -> None:
        person = Person(view, since=self.next_offset)
        self.people.append(person)
        self._connect(person)

    @rule(view=st.sampled_from(VIEWS), back=st.integers(0, 30))
    def come_with_an_id(self, view: View, back: int) -> None:
        kept = self.kept()
        entry = kept[max(0, len(kept) - 1 - back)]
        person = Person(view, since=entry.offset + 1, last_event_id=str(entry.position))
        self.people.append(person)
        self._connect(person)

    @rule(view=st.sampled_from(VIEWS))
    def come_for_a_snapshot(self, view: View) -> None:
        newest: dict[str, Entry] = {}
        for entry in self.kept():
            if entry.event is not None:
                newest.pop(entry.event.document_id, None)
                newest[entry.event.document_id] = entry
        shown = [entry for entry in newest.values() if entry.event is not None and view.shows(entry.event)]
        person = Person(view, self.next_offset, newest=[str(entry.position) for entry in shown])
        self.people.append(person)
        self._connect(person, str(self.log.head), [encode_entry(entry) for entry in shown])

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        self._read(data.draw(st.sampled_from(self.people)))

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        person = data.draw(st.sampled_from(self.people))
        if person.socket is not None:
            person.socket.cut()
            person.socket = None
            if person.last_event_id is None:
                self.people.remove(person)  # who heard nothing has nothing to come back with

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        person = data.draw(st.sampled_from(self.people))
        if person.socket is None and person.last_event_id is not None:
            self._connect(person)

    @rule(times=st.integers(1, 4))
    def work(self, times: int) -> None:
        self.turn(times)

    @rule(share=st.floats(0, 0.5))
    def forget(self, share: float) -> None:
        kept = self.kept()
        self.kept_from = kept[int(share * (len(kept) - 1))].offset

    @rule()
    def the_ring_is_replaced(self) -> None:
        """As after the broker was away for long: the ring begins again near the log's end."""
        kept = self.kept()
        first = max(0, len(kept) - 5)

        async def replace() -> None:
            self.log._replace(Ring(kept[first].position, max_bytes=RING_BYTES))
            self.log._append(kept[first + 1 :])

        self.loop.run_until_complete(replace())

    @invariant()
    def nothing_is_seen_twice_or_out_of_order(self) -> None:
        for person in self.people:
            offsets = [int(seen.split("-")[0]) for seen in person.seen]
            assert offsets == sorted(set(offsets))

    def teardown(self) -> None:
        try:
            for person in self.people:
                self._settle(person)
            for person in self.people:
                self._check(person)
        finally:
            self._close()

    def _settle(self, person: Person) -> None:
        for _ in range(len(self.entries) + 20):
            if person.socket is None and person.last_event_id is not None:
                self._connect(person)
            self.turn(6)
            if person.socket is not None:
                person.socket.settle(self.log.ring)  # as whoever looks after it does now and then
            if (
                not self._read(person)
                and person.socket is not None
                and person.socket.cursor == self.log.ring.end
            ):
                break

    def _check(self, person: Person) -> None:
        visible = [
            entry
            for entry in self.entries
            if entry.event is not None and person.view.shows(entry.event) and person.is_owed(entry)
        ]
        assert [str(one.position) for one in visible if str(one.position) in person.seen] == person.seen
        missed = [one for one in visible if str(one.position) not in person.seen]
        lost = [one for one in missed if not self._is_spared(person, one, visible)]
        assert all(one.offset < self.kept_from for one in lost), lost
        assert not lost or any('"expired"' in reset for reset in person.resets)
        assert not any('"unknown"' in reset for reset in person.resets)

    def _is_spared(self, person: Person, missed: Entry, visible: Sequence[Entry]) -> bool:
        """Progress, of whose document a newer one was seen."""
        if person.view.every_step or missed.event is None or not is_progress(missed.event):
            return False
        newer = [
            one
            for one in visible
            if one.offset > missed.offset
            and one.event is not None
            and one.event.document_id == missed.event.document_id
            and is_progress(one.event)
        ]
        return any(str(one.position) in person.seen for one in newer)

    def _connect(
        self, person: Person, snapshot_position: str | None = None, newest: Sequence[bytes] = ()
    ) -> None:
        socket = person.socket = Socket()
        request = StreamRequest(person.view, snapshot_position or person.last_event_id, newest=newest)

        async def open_stream() -> None:
            self.hub.open(socket, request)

        self.loop.run_until_complete(open_stream())

    def _read(self, person: Person) -> bool:
        socket = person.socket
        if socket is None:
            return False

        async def read() -> bytes:
            return socket.read()

        data = self.loop.run_until_complete(read())
        person.take(data)
        if socket.gone:
            person.socket = None
        return bool(data)

    def _close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.hub._wheel.stop()
        self.turn(3)
        self.loop.close()


class FakeHistoryReader(history.HistoryReader):
    """Replays whose stream is the model's list, with a broker's manners at both ends."""

    def __init__(self, model: Streams) -> None:
        super().__init__("amqp://nowhere")
        self.model = model

    async def _read(self, start: int, until: int) -> Segment:
        await asyncio.sleep(0)
        following = [entry for entry in self.model.kept() if entry.offset >= start]
        return Segment(start, following[: history.SLICE_ENTRIES + 1])


def test_every_client_sees_exactly_the_visible_events_after_its_id_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcaster, "PACING_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(broadcaster, "SLICE", 2)
    monkeypatch.setattr(history, "SLICE_ENTRIES", 4)
    monkeypatch.setattr(catch_up, "MAX_BYTES", 200)
    monkeypatch.setattr(catch_up, "LAG_ENTRIES", 4)
    monkeypatch.setattr(broadcaster, "LAG_ENTRIES", 3)
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    options: dict[str, Any] = {"max_examples": 80, "stateful_step_count": 40, "deadline": None}
    with capture_logs():  # thousands of clients come and go
        run_state_machine_as_test(Streams, settings=settings(**options, suppress_health_check=slow))
