"""The connection to PostgreSQL: one pool per process, opened in its lifespan."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from pgvector.psycopg.vector import register_vector_info
from psycopg import AsyncConnection as PsycopgConnection
from psycopg import OperationalError, ProgrammingError
from psycopg.types import TypeInfo
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from services.runtime.database.binary_array import register_binary_array
from services.runtime.database.embedded_address import embedded_url
from services.runtime.process.settings import CommonSettings

CONNECT_SECONDS = 12
"""Five answers (two of TLS, three of a password), also by a server that takes two seconds for each."""
RESTED_SECONDS = 5.0
_USED_AT = "stagecast.used_at"

_KEEPALIVES = {
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Notice within a minute that the server's machine is gone; the system's own default is two hours."""


def sqlalchemy_url(database_url: str) -> URL:
    """Return a ``postgresql://`` address for SQLAlchemy with psycopg 3, which serves asyncio and Alembic alike."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


def create_engine(database_url: str, *, pool_size: int = 10) -> AsyncEngine:
    """Make a pool of connections; it opens none before the first statement."""
    engine = create_async_engine(
        sqlalchemy_url(database_url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,  # an error of a statement is logged, and what was in it is somebody's
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "stagecast",
            # Python's years are 1 to 9999: what fits in UTC need not in the server's own zone.
            "options": "-c timezone=UTC",
            **_KEEPALIVES,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _register_vector(dbapi_connection: object, _record: object) -> None:
        dbapi_connection.run_async(_register)  # type: ignore[attr-defined]  # of SQLAlchemy's adapter

    _ask_rested_connections(engine.sync_engine)
    return engine


@cache
def autocommit(engine: AsyncEngine) -> AsyncEngine:
    """Return the same pool, where each statement is a transaction: one round trip instead of three."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a read-only transaction that sees one moment, so that what it reads belongs together."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with connection.begin():
            yield connection


def _ask_rested_connections(engine: Engine) -> None:
    """Ping a connection that has rested, before it is used.

    One that was used a moment ago is not asked (a question more for each transaction): if it is dead it says so by
    itself, and every step may run twice.
    """

    @event.listens_for(engine, "checkin")
    def note_use(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_USED_AT, math.inf) < RESTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


async def _register(connection: PsycopgConnection) -> None:
    try:
        # Not all of pgvector's types, of which each costs three answers: those are half a minute of a slow server.
        register_vector_info(connection, await TypeInfo.fetch(connection, "vector"))
        register_binary_array(connection)
    except ProgrammingError as error:
        if connection.broken:  # pgvector takes a question that was cut short for a database without its type
            raise OperationalError("the connection was lost while it was opened") from error
        raise


def required_database_url(settings: CommonSettings) -> str:
    """Return DATABASE_URL, else the address of the embedded server in DATA_DIR, which ``make up`` starts."""
    return settings.database_url or embedded_url(settings.data_dir / "postgres")
