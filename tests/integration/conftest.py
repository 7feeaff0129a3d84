"""Fixtures that several integration tests share."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database.engine import create_engine
from services.runtime.database.migrate import migrate
from tests.conftest import empty_database
from tests.support.guarded import Guarded, guarded_api
from tests.support.system import System
from tests.support.virtual_host import VirtualHosts


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with its tables, and nothing in them."""
    await asyncio.to_thread(migrate, fresh_database_url)
    engine = create_engine(fresh_database_url)
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
