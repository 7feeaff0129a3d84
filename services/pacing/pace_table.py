"""The paces as they were last noted: who measures them writes, workers and replicas that have just begun read."""

import asyncio
from dataclasses import asdict, dataclass, field
from time import monotonic

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.pacing.time_left import NOTHING_KNOWN, Paces
from services.runtime.database.tables import paces

KEPT_SECONDS = 10.0
FORGOTTEN_AFTER_DAYS = 7
"""What was measured longer ago was perhaps on another machine."""

_READ = select(paces.c.name, paces.c.value).where(
    paces.c.noted_at > func.now() - func.make_interval(0, 0, 0, FORGOTTEN_AFTER_DAYS)
)
_NOTE = text("""
INSERT INTO paces (name, value, noted_at) VALUES (:name, :value, now())
ON CONFLICT (name) DO UPDATE SET value = excluded.value, noted_at = now()
""")


async def read_paces(connection: AsyncConnection) -> Paces:
    """Return the paces that were noted last."""
    found: dict[str, float] = {row.name: row.value for row in await connection.execute(_READ)}
    return Paces(**{name: found.get(name) for name in asdict(NOTHING_KNOWN)})


async def note_paces(connection: AsyncConnection, measured: Paces) -> None:
    """Note what was measured; what was not stays as it was."""
    values = [{"name": name, "value": value} for name, value in asdict(measured).items() if value is not None]
    if values:
        await connection.execute(_NOTE, values)


@dataclass
class KnownPaces:
    """The paces for who asks often: read again after ``KEPT_SECONDS``."""

    engine: AsyncEngine
    _paces: Paces = NOTHING_KNOWN
    _until: float = 0.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> Paces:
        """Return the paces. Raises what the database raises."""
        async with self._lock:
            if monotonic() >= self._until:
                async with self.engine.connect() as connection:
                    self._paces = await read_paces(connection)
                self._until = monotonic() + KEPT_SECONDS
        return self._paces
