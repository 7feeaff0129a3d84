"""Brings the database to the newest schema at start; services that start together wait for one another."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from services.runtime.database.engine import CONNECT_SECONDS, sqlalchemy_url
from services.runtime.errors import Unavailable
from services.runtime.process.logging import get_logger

MIGRATION_LOCK = 0x53_54_43_41  # "STCA": any number that no other program locks in this database

log = get_logger(__name__)


def migrate(database_url: str, revision: str = "head") -> None:
    """Run the migrations that are missing, under an advisory lock. Raises Unavailable or Alembic's errors."""
    engine = create_engine(sqlalchemy_url(database_url), connect_args={"connect_timeout": CONNECT_SECONDS})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


async def migrate_when_up(database_url: str, *, patience_seconds: float = 60) -> None:
    """Run ``migrate``, waiting for a server that is still starting; raises Unavailable when it does not come."""
    reason = ""
    try:
        async with asyncio.timeout(patience_seconds):
            while True:
                try:
                    return await asyncio.to_thread(migrate, database_url)
                except OperationalError as error:
                    reason = str(error.orig).strip()
                    log.info("waiting_for_database", reason=reason)
                    await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise Unavailable("database", reason or "no answer in time") from error
