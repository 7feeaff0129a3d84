"""Tickets: what EventSource carries in the URL in place of a token. Used once, within a minute, at any replica."""

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.failures import StagecastError
from services.api.access.tokens import Claims
from services.runtime.database.tables import tickets
from services.runtime.process.background import run_step

TICKET_SECONDS = 60
TICKET_BYTES = 32
EXPIRY_SECONDS = 300.0
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


class InvalidTicket(StagecastError):
    """A ticket that was never issued, was used already, or is too old."""


@dataclass(frozen=True)
class Tickets:
    """Kept in the database as hashes, so that reading the table lets nobody in."""

    engine: AsyncEngine

    async def issue(self, claims: Claims) -> str:
        """Issue a ticket that stands for these claims."""
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        row = insert(tickets).values(
            ticket_hash=_hash(ticket),
            owner_id=claims.owner_id,
            scopes=sorted(claims.scopes),
            token_expires_at=claims.expires_at,
            expires_at=func.now() + timedelta(seconds=TICKET_SECONDS),
        )
        async with self.engine.begin() as connection:
            await connection.execute(row)
        return ticket

    async def redeem(self, ticket: str) -> Claims:
        """Take a ticket, and return what it stands for; raises InvalidTicket.

        One statement, so that of two who bring the same ticket at the same time one gets it.
        """
        if not _SHAPE.fullmatch(ticket):
            raise InvalidTicket
        take = (
            delete(tickets)
            .where(tickets.c.ticket_hash == _hash(ticket))
            .returning(
                tickets.c.owner_id,
                tickets.c.scopes,
                tickets.c.token_expires_at,
                # Nor much later than a new one: the clock was set back since, and an old one would live so much
                # longer. By a moment it is set back every day.
                tickets.c.expires_at.between(func.now(), func.now() + 2 * timedelta(seconds=TICKET_SECONDS)),
            )
        )
        async with self.engine.begin() as connection:
            row = (await connection.execute(take)).one_or_none()
        if row is None or not row[3] or (row.token_expires_at and row.token_expires_at < datetime.now(UTC)):
            raise InvalidTicket
        return Claims(row.owner_id, frozenset(row.scopes), row.token_expires_at)

    async def drop_old(self) -> None:
        """Forget tickets that nobody used in time."""
        async with self.engine.begin() as connection:
            await connection.execute(delete(tickets).where(tickets.c.expires_at < func.now()))


async def run_ticket_expiry(tickets: Tickets) -> None:
    """Forget old tickets until cancelled."""
    while True:
        await run_step("tickets", tickets.drop_old)
        await asyncio.sleep(EXPIRY_SECONDS)


def _hash(ticket: str) -> bytes:
    # Plain: 256 random bits can't be guessed, so nothing is gained by a slow hash.
    return hashlib.sha256(ticket.encode()).digest()
