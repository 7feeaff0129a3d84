"""The private broker and the embedded database, for real."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import psycopg
import pytest
from pamqp.common import FieldTable

from local.backing.broker_search import accepts_login, speaks_amqp
from local.backing.postgres import EmbeddedPostgres
from local.backing.rabbitmq import running_url
from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess
from services.runtime.database.engine import required_database_url
from services.runtime.database.migrate import migrate
from services.runtime.process.settings import CommonSettings
from tests.support.virtual_host import PrivateVirtualHost

QUORUM: FieldTable = {"x-queue-type": "quorum"}


@pytest.fixture
def server(short_directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(short_directory / "postgres", durable=False)
    server.start()
    yield server
    server.kill()


def kill_hard(process: ManagedProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    while process.running:
        pass


def test_the_database_takes_the_memory_that_it_is_given(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory / "postgres", durable=False, memory_bytes=256 * 1024 * 1024)
    server.start()
    try:
        with psycopg.connect(server.url) as connection:
            shown = [
                connection.execute(f"SHOW {name}").fetchone()
                for name in ("shared_buffers", "maintenance_work_mem")
            ]
    finally:
        server.kill()
    assert shown == [("192MB",), ("64MB",)]


def test_a_broker_that_is_there_greets_and_admits_guest(rabbitmq_url: str) -> None:
    port = int(rabbitmq_url.rpartition(":")[2].partition("/")[0])
    assert speaks_amqp("127.0.0.1", port)
    assert accepts_login(rabbitmq_url)


def test_a_broker_that_does_not_know_us_is_not_used(rabbitmq_url: str) -> None:
    assert not accepts_login(rabbitmq_url.replace("guest:guest", "guest:wrong"))


@pytest.mark.anyio
async def test_virtual_hosts_do_not_see_each_others_queues(vhost_url: str, rabbitmq_url: str) -> None:
    async with await aio_pika.connect(vhost_url) as ours, await aio_pika.connect(rabbitmq_url) as theirs:
        await (await ours.channel()).declare_queue("mine")
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await theirs.channel()).declare_queue("mine", passive=True)


def test_others_find_the_node_of_a_directory_while_it_runs(
    private_broker: PrivateVirtualHost, tmp_path: Path
) -> None:
    node = private_broker.broker
    assert running_url(node.directory) == node.url
    assert running_url(tmp_path) is None


@pytest.mark.anyio
async def test_what_the_broker_confirmed_survives_its_death(private_broker: PrivateVirtualHost) -> None:
    async with await aio_pika.connect(private_broker.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments=QUORUM)
        for number in range(50):
            message = aio_pika.Message(str(number).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, routing_key="kept")
        private_broker.kill()
    private_broker.start()
    async with await aio_pika.connect(private_broker.url) as connection:
        queue = await (await connection.channel()).declare_queue("kept", durable=True, arguments=QUORUM)
        bodies = [(await queue.get(no_ack=True)).body for _ in range(50)]
    assert bodies == [str(number).encode() for number in range(50)]


def test_the_database_has_pgvector_and_unicode(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION vector")
        found = connection.execute(
            "SELECT '[1,2]'::vector <-> '[1,0]', upper('straßé'), current_setting('timezone')"
        )
        assert found.fetchone() == (2.0, "STRAßÉ", "UTC")


def test_the_database_survives_its_servers_death(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    kill_hard(server)
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_number_that_a_power_cut_left_does_not_stop_the_database(short_directory: Path) -> None:
    first = EmbeddedPostgres(short_directory / "postgres")
    first.start()
    kill_hard(first)
    stale = short_directory / "postgres" / "cluster" / "postmaster.pid"
    lines = stale.read_text().splitlines()
    stale.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    second = EmbeddedPostgres(short_directory / "postgres")
    second.start()
    second.stop()


def test_a_data_directory_may_be_called_anything(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory / "My C++ & 100% files" / "postgres", durable=False)
    server.start()
    migrate(server.url)
    server.stop()


@pytest.mark.parametrize("name", ["short", "lőng" * 25])
def test_others_find_the_database_of_a_directory_however_long_its_path(
    short_directory: Path, name: str
) -> None:
    data_dir = short_directory / name
    server = EmbeddedPostgres(data_dir / "postgres", durable=False)
    server.start()
    with psycopg.connect(required_database_url(CommonSettings(data_dir=data_dir))) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("stagecast",)
    server.stop()
    assert server._sockets == server.directory or not server._sockets.exists()


def test_a_socket_is_not_put_where_another_may_have_prepared_for_it(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory / ("long" * 25) / "postgres", durable=False)
    server._sockets.symlink_to(short_directory)
    with pytest.raises(StartFailed, match=f"{server._sockets} belongs to another user"):
        server.start()
    server._sockets.unlink()


def test_the_directories_above_a_database_stay_closed(short_directory: Path) -> None:
    server = EmbeddedPostgres(short_directory / "data" / "postgres", durable=False)
    (short_directory / "data").mkdir(mode=0o700)
    server.start()
    server.stop()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (short_directory, short_directory / "data")] == [
        0o700,
        0o700,
    ]
