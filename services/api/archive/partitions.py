"""The partitions of the archive: made before they are written to, dropped whole once the log has dropped them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PARTITION_PLACES = 250_000
"""Places in one; an empty one costs 32 KiB, a full one about 110 MB."""
MAX_PLACE = 2**63 - 1
LOCK_MS = 2000
"""A partition is dropped when nobody reads for so long, or another time: who reads meanwhile waits behind it."""

_MAKERS = text("SELECT pg_advisory_xact_lock(hashtext('log_entries'))")
_IS_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_ALL = text("""
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'log_entries'::regclass
""")


def next_base(place: int) -> int:
    """Return the first place of the partition after the one of a place: where the places of another log begin."""
    return (place // PARTITION_PLACES + 1) * PARTITION_PLACES


async def make_partitions(connection: AsyncConnection, first: int, last: int) -> None:
    """Make the partitions of the places from ``first`` to ``last`` that are missing.

    Attached and not created as partitions: that would wait for all who read, and they for it.
    """
    for number in range(first // PARTITION_PLACES, last // PARTITION_PLACES + 1):
        name = f"log_entries_{number}"
        if await connection.scalar(_IS_THERE, {"name": name}):
            continue
        await connection.execute(_MAKERS)
        if await connection.scalar(_IS_THERE, {"name": name}):
            continue
        begin = number * PARTITION_PLACES
        await connection.execute(text(f"CREATE TABLE {name} (LIKE log_entries INCLUDING ALL)"))
        await connection.execute(
            text(
                f"ALTER TABLE log_entries ATTACH PARTITION {name}"
                f" FOR VALUES FROM ({begin}) TO ({begin + PARTITION_PLACES})"
            )
        )


async def drop_partitions(connection: AsyncConnection, first: int, end: int) -> None:
    """Drop the partitions that lie between the places ``first`` and ``end`` (exclusive) with all that they have."""
    await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))
    for (name,) in (await connection.execute(_ALL)).all():
        begin = int(name.rpartition("_")[2]) * PARTITION_PLACES
        if first <= begin and begin + PARTITION_PLACES <= end:
            await connection.execute(text(f"DROP TABLE {name}"))
