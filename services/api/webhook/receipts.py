"""Webhook messages that were taken: the same one again, at any replica, makes no second event for four days."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import StatusEvent
from services.runtime.database.tables import webhook_receipts

CLAIM = timedelta(seconds=10)
"""Longer than a publish lasts until it is confirmed or given up."""
PAUSE_SECONDS = 0.05

_columns = webhook_receipts.c


@dataclass(frozen=True)
class Receipts:
    """Receipts by producer and ``webhook-id`` or ``eventId``."""

    engine: AsyncEngine

    async def claim(self, message_id: str | None, event: StatusEvent) -> tuple[StatusEvent, bool]:
        """Return the event that this message stands for, and whether the caller is the one who has to publish it.

        The event of the first time counts, whatever comes later. While another one publishes it, this waits;
        a claim ends by itself, so that a message that was being published in a crash is published by its retry.
        """
        while True:
            await self._write(message_id, event)
            if stored := await self._take(message_id, event):
                return stored, True
            if stored := await self._confirmed(message_id, event):
                return stored, False
            await asyncio.sleep(PAUSE_SECONDS)

    async def is_taken(self, event: StatusEvent) -> bool:
        """Return whether another producer has used an event's id: clients would take the second for a repeat."""
        taken = select(_columns.event_id).where(
            _columns.event_id == event.event_id, _columns.producer != _producer(event)
        )
        async with self.engine.connect() as connection:
            return (await connection.execute(taken.limit(1))).one_or_none() is not None

    async def confirm(self, event: StatusEvent) -> None:
        """Note that the broker has confirmed the event."""
        await self._update(event, confirmed_at=func.now())

    async def release(self, event: StatusEvent) -> None:
        """Give up an event that was not published; the next who brings it may try at once."""
        await self._update(event, claimed_until=None)

    async def _write(self, message_id: str | None, event: StatusEvent) -> None:
        receipt = insert(webhook_receipts).values(
            producer=_producer(event),
            message_id=message_id,
            event_id=event.event_id,
            event=event.model_dump(mode="json", by_alias=True),
        )
        async with self.engine.begin() as connection:
            await connection.execute(receipt.on_conflict_do_nothing())

    async def _take(self, message_id: str | None, event: StatusEvent) -> StatusEvent | None:
        # One that lasts for much longer than any was made before the clock was set back.
        is_live = _columns.claimed_until.between(func.now(), func.now() + 2 * CLAIM)
        is_free = _columns.claimed_until.is_(None) | ~is_live
        take = (
            update(webhook_receipts)
            .where(_same(message_id, event), _columns.confirmed_at.is_(None), is_free)
            .values(claimed_until=func.now() + CLAIM)
            .returning(_columns.event)
        )
        async with self.engine.begin() as connection:
            row = (await connection.execute(take)).first()
        return StatusEvent.model_validate(row.event) if row else None

    async def _confirmed(self, message_id: str | None, event: StatusEvent) -> StatusEvent | None:
        query = select(_columns.event).where(_same(message_id, event), _columns.confirmed_at.is_not(None))
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return StatusEvent.model_validate(row.event) if row else None

    async def _update(self, event: StatusEvent, **values: object) -> None:
        ours = (_columns.producer == _producer(event)) & (_columns.event_id == event.event_id)
        async with self.engine.begin() as connection:
            await connection.execute(update(webhook_receipts).where(ours).values(**values))


def _same(message_id: str | None, event: StatusEvent) -> ColumnElement[bool]:
    by_event = _columns.event_id == event.event_id
    same = or_(by_event, _columns.message_id == message_id) if message_id else by_event
    return (_columns.producer == _producer(event)) & same


def _producer(event: StatusEvent) -> str:
    return event.source.removeprefix("webhook:")
