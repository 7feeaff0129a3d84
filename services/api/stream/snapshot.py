"""The newest event of each document under way, as of one position of the log."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import StatusEvent
from contracts.statuses import TERMINAL
from services.api.log.position import Position
from services.api.projection.projection_position import read_position
from services.api.stream.filters import View
from services.api.stream.sse import encode_event
from services.runtime.database.engine import snapshot
from services.runtime.database.tables import IS_ALIVE, documents

ENCODED_AT_ONCE = 100


async def read_snapshot(engine: AsyncEngine, view: View) -> tuple[Sequence[bytes], Position]:
    """Return the frames in the order of the log, and its position: who is cut off in between misses nothing."""
    query = select(documents.c.event, documents.c.event_position).where(
        IS_ALIVE,
        documents.c.event.is_not(None),
        documents.c.status.not_in([status.value for status in TERMINAL]),
        view.caller.visible(),
    )
    async with snapshot(engine) as connection:
        rows = (await connection.execute(query)).all()
        position = await read_position(connection)
    newest = [(Position.parse(at) or Position.start(), event) for event, at in rows]
    newest.sort(key=lambda pair: pair[0].offset)
    frames = []
    for count, (at, stored) in enumerate(newest):
        if count % ENCODED_AT_ONCE == 0:
            await asyncio.sleep(0)  # a long queue's worth of frames would keep all streams waiting
        event = StatusEvent.model_validate(stored)
        if view.shows(event):
            frames.append(encode_event(event, at))
    return frames, position
