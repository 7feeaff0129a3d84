"""One client's stream, from its first bytes to its end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.wire import rfc3339
from services.api.events.entry import Entry
from services.api.events.filters import View
from services.api.events.frames import encode_control, encode_cursor, encode_retry
from services.api.events.log import EventLog
from services.api.events.position import Position
from services.api.events.replay import Gap, Piece
from services.api.events.snapshot import read_snapshot
from services.api.events.timers import Timers
from services.runtime.availability import BROKER_ERRORS
from services.runtime.logs import get_logger

PAUSE_SECONDS = 0.5

log = get_logger(__name__)


@dataclass(frozen=True)
class Wish:
    """What a client asked for when it connected."""

    view: View
    last_event_id: str | None = None
    wants_snapshot: bool = False


class ClientStream:
    """The frames for one client. Nothing of the database is held while it is open."""

    def __init__(
        self, event_log: EventLog, engine: AsyncEngine, wish: Wish, heartbeat_seconds: float
    ) -> None:
        self._log = event_log
        self._engine = engine
        self._wish = wish
        self._timers = Timers(heartbeat_seconds)
        self._position = event_log.head
        self._told = self._position
        self.client_id = str(uuid4())

    async def frames(self) -> AsyncIterator[bytes]:
        """Everything from ``retry:`` on; ends after ``reconnect`` when the process drains."""
        log.info("client connected", client_id=self.client_id, last_event_id=self._wish.last_event_id)
        try:
            async for frame in self._opening():
                yield frame
            while not self._log.is_draining:
                async for frame in self._next():
                    yield frame
            yield encode_control("reconnect", reason="shutdown")
        finally:
            log.info("client disconnected", client_id=self.client_id, position=str(self._position))

    async def _opening(self) -> AsyncIterator[bytes]:
        last_event_id = self._wish.last_event_id
        resumed = Position.parse(last_event_id) if last_event_id else None
        newest: Sequence[bytes] = ()
        if resumed is not None:
            self._move(resumed)
        elif self._wish.wants_snapshot:
            newest, position = await read_snapshot(self._engine, self._wish.view)
            self._move(position)
        yield encode_retry() + encode_control(
            "connected",
            clientId=self.client_id,
            serverTime=rfc3339(datetime.now(UTC)),
            position=str(self._position),
        )
        if last_event_id and resumed is None:
            yield self._reset(Gap.UNKNOWN, self._position)
        if newest:
            yield b"".join(newest) + encode_cursor(str(self._position))

    async def _next(self) -> AsyncIterator[bytes]:
        """What follows the client's position, and signs of life while there is nothing."""
        reading = asyncio.ensure_future(self._read())
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=self._timers.seconds_left())
                yield self._sign_of_life()
        finally:
            reading.cancel()
        piece = reading.result()
        if piece is not None:
            yield self._deliver(piece)

    async def _read(self) -> Piece | None:
        """The next piece; None when nothing came for a while, or the broker is away."""
        try:
            if await self._log.wait_or_drain(self._position, self._timers.seconds_left()):
                return await self._log.read(self._position)
        except BROKER_ERRORS as error:
            log.info("replay waits for the broker", client_id=self.client_id, reason=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
        return None

    def _deliver(self, piece: Piece) -> bytes:
        if piece.gap is Gap.UNKNOWN:
            self._move(self._log.head)
            return self._reset(piece.gap, self._position)
        reset = self._reset(piece.gap, piece.entries[0].position) if piece.gap else b""
        frames = [entry.frame for entry in piece.entries if self._shows(entry)]
        if piece.entries:
            self._position = piece.entries[-1].position
            if self._shows(piece.entries[-1]):
                self._told = self._position
        if frames:
            self._timers.was_written()
        return reset + b"".join(frames)

    def _sign_of_life(self) -> bytes:
        sign = self._timers.due()
        if sign and self._told != self._position:
            # Everything since was filtered away: without this the client would come back with an id of long ago.
            self._told = self._position
            return encode_cursor(str(self._position)) + sign
        return sign

    def _shows(self, entry: Entry) -> bool:
        return entry.event is not None and self._wish.view.shows(entry.event)

    def _move(self, position: Position) -> None:
        self._position = self._told = position

    def _reset(self, gap: Gap, position: Position) -> bytes:
        return encode_control("reset", reason=gap.value, position=str(position))
