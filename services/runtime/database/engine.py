"""The connection to PostgreSQL: one pool per process, opened in its lifespan."""

from pgvector.psycopg import register_vector_async
from psycopg import AsyncConnection
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.runtime.database.embedded_address import embedded_url
from services.runtime.process.settings import CommonSettings

_KEEPALIVES = {
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Notice within a minute that the server's machine is gone; the system's own default is two hours."""


def sqlalchemy_url(database_url: str) -> URL:
    """A ``postgresql://`` address for SQLAlchemy with psycopg 3, which serves asyncio and Alembic alike."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


def create_engine(database_url: str, *, pool_size: int = 10) -> AsyncEngine:
    """A pool of connections; it opens none before the first statement."""
    engine = create_async_engine(
        sqlalchemy_url(database_url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # an error of a statement is logged, and what was in it is somebody's
        connect_args={
            "connect_timeout": 5,
            "application_name": "stagecast",
            # Python's years are 1 to 9999: what fits in UTC need not in the server's own zone.
            "options": "-c timezone=UTC",
            **_KEEPALIVES,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _register_vector(dbapi_connection: object, _record: object) -> None:
        dbapi_connection.run_async(_register)  # type: ignore[attr-defined]  # of SQLAlchemy's adapter

    return engine


async def _register(connection: AsyncConnection) -> None:
    await register_vector_async(connection)


def required_database_url(settings: CommonSettings) -> str:
    """Return DATABASE_URL, else the address of the embedded server in DATA_DIR, which ``make up`` starts."""
    return settings.database_url or embedded_url(settings.data_dir / "postgres")
