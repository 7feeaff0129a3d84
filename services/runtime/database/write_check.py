"""Asks PostgreSQL whether it can be written to, for next to nothing.

Not by an UPDATE of a row: that finds room in its page and in a segment of the write-ahead log that is there
already, and so succeeds on a disk without a free byte, where the first row that needs a page is refused; and each
leaves a dead row, a transaction id and a write to the disk behind. A result that does not fit into ``work_mem`` is
written to a file of its own beside the data, which goes with the statement: it asks for room, and leaves nothing.
"""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

ROWS = 4000
"""About twice what ``work_mem`` takes at its least."""

_SHORT_OF_MEMORY = text("SELECT set_config('work_mem', '64kB', true)")
_ASK = text(f"""
    SELECT pg_is_in_recovery() AS in_recovery, current_setting('transaction_read_only')::bool AS read_only,
           (SELECT count(*) FROM generate_series(1, {ROWS})) AS rows
""")  # noqa: S608 - of a constant
_NO_SPACE = "53100"


async def why_not_written(engine: AsyncEngine) -> str | None:
    """Return why the database takes no writes, or does not answer; None when it takes them."""
    try:
        async with engine.begin() as connection:
            await connection.execute(_SHORT_OF_MEMORY)
            answer = (await connection.execute(_ASK)).one()
    except Exception as error:
        return _sentence(error)
    if answer.in_recovery:
        return "takes no writes: it is in recovery, or a standby"
    if answer.read_only:
        return "takes no writes: it is read-only (default_transaction_read_only)"
    return None


def _sentence(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    sentence = " ".join(str(original).split())[:200]
    return f"no space left: {sentence}" if getattr(original, "sqlstate", None) == _NO_SPACE else sentence
