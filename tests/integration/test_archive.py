"""What the archive hands out is what the log has: whoever asks, from wherever, and however it was filled."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import DocumentDeleted, LogEvent, StatusEvent
from contracts.statuses import Status
from services.api.access.caller import LOCAL_USER, Caller
from services.api.archive import archive_keeper, archive_reader, partitions
from services.api.archive.archive_keeper import expire_entries, fill_next, forget
from services.api.archive.archive_reader import read_stretch
from services.api.archive.document_events import list_events
from services.api.archive.spans import read_spans
from services.api.audit.archive_comparison import differences
from services.api.documents.catalog import NoSuchDocument
from services.api.log.conflation import conflated
from services.api.log.entry import MARKER_TYPE, Entry, read_entry
from services.api.log.event_log import EventLog
from services.api.log.history import Slice
from services.api.log.position import GapReason, Position
from services.api.projection.projection_position import move_position, read_position
from services.api.projection.projector import apply, begin_anew
from services.api.stream.filters import Filter, View
from services.api.stream.sse import encode_entry

pytestmark = pytest.mark.anyio

OWNERS = (None, "ann", "ben")
DOCUMENTS = [f"doc-{number}" for number in range(6)]
ANN = Caller("ann", sees_all=False)
VIEWS = [
    View(LOCAL_USER, Filter()),
    View(LOCAL_USER, Filter(), every_step=True),
    View(ANN, Filter()),
    View(ANN, Filter(document_ids=frozenset({"doc-1", "doc-2"})), every_step=True),
    View(Caller("ben", sees_all=False), Filter(statuses=frozenset({"embedded", "parsing"}))),
    View(LOCAL_USER, Filter(sources=frozenset({"ocr"}), file_types=frozenset({"pdf", "image/*"}))),
    View(Caller("nobody", sees_all=False), Filter(document_ids=frozenset({"doc-3"}))),
]


class ListedLog(EventLog):
    """A log that is a list."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__("amqp://nowhere")
        self.entries = list(entries)

    async def read(self, after: Position, limit: int = 1000) -> Slice:
        following = [entry for entry in self.entries if entry.offset > after.offset]
        is_cut = after == Position.start() and self.entries[0].offset > 0
        return Slice(following[:limit], GapReason.EXPIRED if is_cut else None)


def made_up(dice: random.Random, count: int) -> list[Entry]:
    """Events of some owners' documents, with a marker, nonsense and gaps in the numbers among them."""
    entries, offset = [], 0
    for number in range(count):
        offset += 1 + (dice.random() < 0.02)
        if dice.random() < 0.03:
            entries.append(read_entry(offset, MARKER_TYPE, f"marker-{number}", b"marker"))
            continue
        event = _event(dice, number)
        entries.append(read_entry(offset, event.type, None, event.to_wire()))
    return entries


def _event(dice: random.Random, number: int) -> LogEvent:
    document_id, moment = dice.choice(DOCUMENTS), datetime(2026, 11, 22, tzinfo=UTC)
    owner_id = dice.choice(OWNERS)
    if dice.random() < 0.03:
        return DocumentDeleted(document_id=document_id, owner_id=owner_id, timestamp=moment)
    return StatusEvent(
        event_id=f"e{number}",
        document_id=document_id,
        status=dice.choice([Status.PARSING, Status.EMBEDDING, *Status]),
        message="a\x00\nb",
        metadata={
            "filename": dice.choice(["a.pdf", "b\x00.txt", 7]),
            "fileType": dice.choice(["image/png", None]),
        },
        timestamp=moment,
        owner_id=owner_id,
        source=dice.choice(["parser", "ocr", "webhook:x\x00"]),
    )


async def project(engine: AsyncEngine, dice: random.Random, entries: Sequence[Entry], *, old: float) -> None:
    """Archive entries as projectors do, in batches, of which a process of the last release projects some."""
    async with engine.connect() as connection:
        position = await read_position(connection)
    if position == Position.start():
        async with engine.begin() as connection:
            await move_position(connection, position, position)
    while entries:
        batch, entries = entries[: (size := dice.randrange(1, 40))], entries[size:]
        reached = batch[-1].position
        if dice.random() < old:
            async with engine.begin() as connection:
                await move_position(connection, position, reached)
        else:
            await apply(engine, position, reached, (), kept=batch)
        position = reached


async def read_on(
    engine: AsyncEngine, view: View, after: Position
) -> tuple[bytes, Position, list[GapReason]]:
    """All that the archive has after a position, with the position that it leads to."""
    data, gaps = b"", []
    async with engine.connect() as connection:
        while stretch := await read_stretch(connection, view, after, is_conflated=not view.every_step):
            data, after = data + stretch.data, stretch.reached
            gaps += [stretch.gap] if stretch.gap else []
    return data, after, gaps


def expected(view: View, following: Sequence[Entry], size: int) -> bytes:
    """What the log has for a view, spared of old progress within each piece of so many visible events."""
    shown = [one for one in following if one.event is not None and view.shows(one.event)]
    pieces = [shown[start : start + size] for start in range(0, len(shown), size)]
    told = shown if view.every_step else [one for piece in pieces for one in conflated(piece, view.shows)]
    return b"".join(map(encode_entry, told))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "SLICE_ENTRIES", 16)
    monkeypatch.setattr(archive_reader, "WINDOW_PLACES", 1_000_000)
    monkeypatch.setattr(partitions, "PARTITION_PLACES", 150)
    monkeypatch.setattr(archive_keeper, "FILL_ENTRIES", 40)


async def filled(engine: AsyncEngine, log: EventLog) -> int:
    steps = 0
    while await fill_next(engine, log):
        steps += 1
        assert steps < 100
    return steps


async def test_the_archive_hands_out_what_the_log_has_after_any_position_to_anybody(
    engine: AsyncEngine,
) -> None:
    dice = random.Random(16)  # noqa: S311 - the same each time
    entries = made_up(dice, 500)
    log = ListedLog(entries)
    await project(engine, dice, entries, old=0.3)
    assert await filled(engine, log) > 2
    assert await filled(engine, log) == 0
    async with engine.connect() as connection:
        (span,) = await read_spans(connection, 0)
    assert span.end(0) == entries[-1].position
    assert [one async for one in differences(engine, entries)] == []
    for view in VIEWS:
        for index in (dice.choice((0, 498)), dice.randrange(200, 498)):
            position = entries[index].position
            found = await read_on(engine, view, position)
            assert found == (expected(view, entries[index + 1 :], 16), entries[-1].position, [])
            before = await read_on(engine, view, position.before())
            assert before[0] == expected(view, entries[index:], 16)
    assert (await read_on(engine, VIEWS[1], Position.start()))[2] == [
        GapReason.EXPIRED
    ]  # offset 0 is not kept


async def test_where_a_process_of_the_last_release_projected_the_archive_waits_until_it_is_filled(
    engine: AsyncEngine,
) -> None:
    dice = random.Random(17)  # noqa: S311 - the same each time
    entries = made_up(dice, 300)
    await project(engine, dice, entries[:100], old=0)
    await project(engine, dice, entries[100:200], old=1)
    await project(engine, dice, entries[200:], old=0)
    data, reached, _ = await read_on(engine, VIEWS[1], entries[0].position)
    assert (data, reached) == (expected(VIEWS[1], entries[1:100], 16), entries[99].position)
    assert await read_on(engine, VIEWS[1], entries[150].position) == (b"", entries[150].position, [])
    await filled(engine, ListedLog(entries))
    assert (await read_on(engine, VIEWS[1], entries[0].position))[0] == expected(VIEWS[1], entries[1:], 16)
    await forget(engine)
    assert await read_on(engine, VIEWS[1], entries[0].position) == (b"", entries[0].position, [])
    await filled(engine, ListedLog(entries))
    assert [one async for one in differences(engine, entries)] == []
    assert (await read_on(engine, VIEWS[1], entries[0].position))[1] == entries[-1].position


async def test_what_the_log_has_dropped_is_expired_and_goes_in_whole_partitions(engine: AsyncEngine) -> None:
    dice = random.Random(18)  # noqa: S311 - the same each time
    entries = made_up(dice, 500)
    await project(engine, dice, entries, old=0)
    kept = entries[400:]
    await expire_entries(engine, kept[0].position)
    data, _, gaps = await read_on(engine, VIEWS[1], entries[20].position)
    assert (data, gaps) == (expected(VIEWS[1], kept, 16), [GapReason.EXPIRED])
    async with engine.connect() as connection:
        assert 101 <= await connection.scalar(text("SELECT count(*) FROM log_entries")) < 300
        stretch = await read_stretch(connection, VIEWS[1], entries[20].position, is_conflated=False)
    assert stretch is not None
    assert stretch.begin == kept[0].position.before()
    assert [one async for one in differences(engine, kept)] == []


async def test_an_entry_that_the_archive_lost_or_has_otherwise_is_found_by_the_audit(
    engine: AsyncEngine,
) -> None:
    dice = random.Random(19)  # noqa: S311 - the same each time
    entries = made_up(dice, 30)
    await project(engine, dice, entries, old=0)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM log_entries WHERE place = :p"), {"p": entries[3].offset})
        await connection.execute(
            text("UPDATE log_entries SET frame = '' WHERE place = :p"), {"p": entries[9].offset}
        )
    found = [position async for position, _ in differences(engine, entries)]
    assert found == [str(entries[3].position), str(entries[9].position)]


async def test_another_log_begins_behind_the_lost_one_of_which_a_documents_events_are_still_told(
    engine: AsyncEngine,
) -> None:
    dice = random.Random(20)  # noqa: S311 - the same each time
    old, new = made_up(dice, 200), made_up(dice, 100)
    await project(engine, dice, old, old=0)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO documents (document_id, owner_id, attempt, created_at, attempted_at, updated_at,"
                " status, status_attempt) SELECT 'doc-1', 'ann', 1, now(), now(), now(), 'parsing', 1"
            )
        )
    assert await begin_anew(engine, old[-1].position) == Position.start()
    assert await read_on(engine, VIEWS[1], old[5].position) == (b"", old[5].position, [])
    await project(engine, dice, new, old=0)
    assert (await read_on(engine, VIEWS[1], new[0].position))[0] == expected(VIEWS[1], new[1:], 16)
    cursor, told = -1, []
    while True:
        page = await list_events(engine, ANN, "doc-1", limit=7, after=cursor)
        told += [event.event_id for event in page.items]
        if page.next_cursor is None:
            break
        cursor = int(page.next_cursor)
    assert told == [
        one.event.event_id
        for one in [*old, *new]
        if isinstance(one.event, StatusEvent)
        and one.event.document_id == "doc-1"
        and ANN.may_see(one.event.owner_id)
    ]
    with pytest.raises(NoSuchDocument):
        await list_events(engine, Caller("ben", sees_all=False), "doc-1", limit=7, after=-1)
