"""Real services for tests: one broker and one database server for the whole run.

``RABBITMQ_URL`` and ``DATABASE_URL`` point the suite at others. What can't be had is a reason to skip on
somebody's own machine, and a failure in continuous integration (``CI`` set).
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
import structlog
from psycopg import sql

from local.backing import rabbitmq
from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import PrivateBroker
from local.failures import StartFailed
from tests.support.npm import build_typescript_client, install_npm_clients
from tests.support.spread import SystemOnOneWorker
from tests.support.system import System
from tests.support.virtual_host import PrivateVirtualHost, VirtualHosts, guess_management_url

CHROMIUM = Path("/usr/bin/chromium")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever starts the suite in the background has it ignore Ctrl-C, and so would every command that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SystemOnOneWorker | None:
    """Spread the files as ``make test`` asks; other ways are pytest-xdist's own."""
    return SystemOnOneWorker(config, log) if config.getvalue("dist") == "loadfile" else None


def missing(reason: str) -> NoReturn:
    """Skip with the reason; in continuous integration fail, so that a green run has run everything."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# structlog's own tracebacks show each frame with its surroundings and all variables: seconds of work for each bug
# that a test has a loop run into.
structlog.configure(
    processors=[
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    ]
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked ``anyio`` run on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="session")
def session_broker() -> Iterator[PrivateBroker | None]:
    """The run's own node; None when RABBITMQ_URL names another broker."""
    if os.environ.get("RABBITMQ_URL"):
        yield None
        return
    with _running_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq_url(session_broker: PrivateBroker | None) -> str:
    """The default virtual host of a real broker. All tests share it: prefer ``vhost_url``."""
    return session_broker.url if session_broker else os.environ["RABBITMQ_URL"]


@pytest.fixture(scope="session")
def management_url(session_broker: PrivateBroker | None, rabbitmq_url: str) -> str:
    """Where the broker's management UI and API are, or would be; it ends with a slash."""
    return session_broker.management_url if session_broker else guess_management_url(rabbitmq_url)


@pytest.fixture
def vhost_url(rabbitmq_url: str, management_url: str) -> Iterator[str]:
    """A virtual host of the test's own; the default one when the broker's management does not answer."""
    hosts = VirtualHosts(rabbitmq_url, management_url)
    if not hosts.answer():
        yield rabbitmq_url
        return
    with hosts.fresh() as url:
        yield url


@pytest.fixture(scope="module")
def module_vhost_url(rabbitmq_url: str, management_url: str) -> Iterator[str]:
    """As ``vhost_url``, shared by the tests of a module."""
    hosts = VirtualHosts(rabbitmq_url, management_url)
    if not hosts.answer():
        yield rabbitmq_url
        return
    with hosts.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def _fault_broker() -> Iterator[PrivateBroker]:
    with _running_broker() as broker:
        yield broker


@pytest.fixture
def private_broker(_fault_broker: PrivateBroker) -> PrivateVirtualHost:
    """A broker that the test may stop, kill and start; ``.url`` is a fresh virtual host of it.

    The virtual host goes with the node: removed just after a start, its queues are gone while the processes that
    dead-letter for them begin. Two of those that fail within five seconds end their supervisor for good (RabbitMQ
    3.10; later ones bear more), and each queue that dead-letters and is declared from then on is down.
    """
    if not _fault_broker.running:
        _fault_broker.start()
    hosts = VirtualHosts(_fault_broker.url, _fault_broker.management_url)
    hosts.await_answer()
    return PrivateVirtualHost(hosts.made(), _fault_broker)


@contextmanager
def _running_broker() -> Iterator[PrivateBroker]:
    if not rabbitmq.installed():
        missing("RabbitMQ is not installed: run `make setup`, or set RABBITMQ_URL.")
    with _directory() as directory:
        broker = PrivateBroker(directory)
        try:
            broker.start()
            VirtualHosts(broker.url, broker.management_url).await_answer()
            yield broker
        finally:
            broker.kill()  # an orderly stop takes six seconds, and nothing of it is kept


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A database of a real PostgreSQL server with pgvector, from which others can be created."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with _directory() as directory:
        try:
            server = EmbeddedPostgres(directory / "postgres", durable=False)
            server.start()
        except StartFailed as failure:
            missing(str(failure))
        try:
            yield server.url_of("postgres")
        finally:
            server.stop()


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A database that was empty when the run began. All tests share it."""
    with empty_database(server_url) as url:
        yield url


@pytest.fixture
def fresh_database_url(server_url: str) -> Iterator[str]:
    """An empty database of the test's own."""
    with empty_database(server_url) as url:
        yield url


@contextmanager
def empty_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """A new database; with another ``template`` a copy of that one, to which nobody may be connected."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        before, _, after = server_url.partition("?")
        try:
            yield f"{before.rpartition('/')[0]}/{name}" + (f"?{after}" if after else "")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _directory() -> Iterator[Path]:
    # Not pytest's own: those are closed to the account that the database runs as, and too long for a socket.
    directory = Path(tempfile.mkdtemp(prefix="stagecast-test-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program."""
    if not CHROMIUM.exists():
        missing(f"{CHROMIUM} is missing: `make test` installs it.")
    return CHROMIUM


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which npm has installed clients of event streams, and tools."""
    directory = tmp_path_factory.mktemp("npm")
    try:
        install_npm_clients(directory)
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"npm's clients of event streams can't be installed: {error}")
    return directory


@pytest.fixture(scope="session")
def typescript_client(npm_clients: Path) -> Path:
    """Our own client, compiled, in a ``node_modules`` beside the others."""
    return build_typescript_client(npm_clients)


@pytest.fixture(scope="session")
def system(rabbitmq_url: str, management_url: str, database_url: str) -> Iterator[System]:
    """The whole running system, shared by all tests that leave it as it was: no kills here.

    It starts by its commands, as an operator starts it; torch could not be forked either.
    """
    with running_system(rabbitmq_url, management_url, database_url) as running:
        running.by_command = True
        running.start("embedder", "api", "parser")
        yield running


@pytest.fixture
def own_system(rabbitmq_url: str, management_url: str, fresh_database_url: str) -> Iterator[System]:
    """A system of the test's own, not yet started; what it starts may be killed."""
    with running_system(rabbitmq_url, management_url, fresh_database_url) as running:
        yield running


@pytest.fixture(scope="module")
def module_database_url(server_url: str) -> Iterator[str]:
    """An empty database, shared by the tests of a module."""
    with empty_database(server_url) as url:
        yield url


@contextmanager
def running_system(rabbitmq_url: str, management_url: str, database_url: str) -> Iterator[System]:
    with VirtualHosts(rabbitmq_url, management_url).fresh() as vhost_url, _directory() as directory:
        running = System(directory, vhost_url, database_url)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory that the database's account may enter, and whose name leaves room for a socket's."""
    with _directory() as directory:
        yield directory
