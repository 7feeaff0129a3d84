"""Fixtures that several integration tests share."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from tests.conftest import empty_database
from tests.support.guarded import Guarded, guarded_api
from tests.support.system import System
from tests.support.virtual_host import VirtualHosts


@pytest.fixture(scope="session")
def _template(server_url: str) -> Iterator[str]:
    with empty_database(server_url) as url:
        migrate(url)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def migrated_database_url(server_url: str, _template: str) -> Iterator[str]:
    """A database of the test's own with its tables, and nothing in them: a copy, for less than migrating costs."""
    with empty_database(server_url, _template) as url:
        yield url


@pytest.fixture
async def engine(migrated_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The same, connected."""
    engine = create_engine(migrated_database_url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def guarded(rabbitmq_url: str, management_url: str, server_url: str) -> Iterator[Guarded]:
    """An API that asks for tokens; shared, so a test names its owners and documents for itself."""
    with (
        VirtualHosts(rabbitmq_url, management_url).fresh() as vhost_url,
        empty_database(server_url) as database_url,
        tempfile.TemporaryDirectory() as directory,
    ):
        system = System(Path(directory), vhost_url, database_url)
        try:
            with guarded_api(system) as running:
                yield running
        finally:
            system.stop()
