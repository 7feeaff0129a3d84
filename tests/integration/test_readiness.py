"""Ready means that work would be done; while it would not, the answer says what is wrong."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from contracts import topology
from local.backing.postgres import EmbeddedPostgres
from services.runtime.database.engine import create_engine
from services.runtime.database.write_check import why_not_written
from tests.integration.test_faults_admission import readiness
from tests.support.faulty_network import network_before
from tests.support.lost_queues import lost_queues
from tests.support.small_file_system import small_file_system
from tests.support.system import System, until
from tests.support.virtual_host import PrivateVirtualHost

SERVICES = ("api", "parser")
RETRY = topology.retry_queue("parse", 5)
ALARM = "takes no messages just now (alarm: memory or disk)"


def test_a_service_is_not_ready_while_what_it_needs_does_not_work_and_says_what_it_is(
    own_system: System, private_broker: PrivateVirtualHost, server_url: str
) -> None:
    with network_before(private_broker.url) as network:
        own_system.rabbitmq_url = network.url
        own_system.start(*SERVICES)
        network.refuse()
        assert_unready(own_system, "broker", "not connected")
        network.heal()
        assert_ready(own_system)
        with read_only(own_system.database_url, server_url):
            assert_unready(own_system, "database", "takes no writes: it is read-only")
        private_broker.broker.control("set_vm_memory_high_watermark", "0.00001")
        assert_unready(own_system, "broker", ALARM)
        assert_refused_at_once(own_system, f"The broker {ALARM}")
        private_broker.broker.control("set_vm_memory_high_watermark", "0.4")
        assert_ready(own_system, within=3)
        with lost_queues(private_broker, RETRY, topology.LOG):
            assert_unready(own_system, "broker", f"the queue {topology.LOG.name} is down")
            until(lambda: "(and 1 more with it)" in readiness(own_system, "parser").json()["broker"])
            assert own_system.upload("lost.txt", b"Nobody would hear of it.").status_code == 503
        own_system.stop()


@pytest.mark.anyio
async def test_a_database_without_room_is_told_by_what_it_would_have_to_write(short_directory: Path) -> None:
    with small_file_system(short_directory, 128, "mode=0755") as disk:
        database = EmbeddedPostgres(short_directory / "postgres", durable=False)
        database.start()
        try:
            with psycopg.connect(database.url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION vector")
            engine = create_engine(database.url)
            assert await why_not_written(engine) is None
            disk.fill()
            reason = await why_not_written(engine)
            assert reason is not None
            assert "No space left on device" in reason
            disk.make_room()
            assert await why_not_written(engine) is None
            await engine.dispose()
        finally:
            database.kill()


def assert_unready(system: System, dependency: str, reason: str) -> None:
    for name in SERVICES:
        until(lambda: reason in readiness(system, name).json().get(dependency, ""), within=20)  # noqa: B023 - called at once
        answer = readiness(system, name)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert reason in answer.json()["detail"]
        assert f'stagecast_dependency_ready{{dependency="{dependency}"}} 0.0' in metrics(system, name)


def assert_ready(system: System, within: float = 20) -> None:
    for name in SERVICES:
        until(lambda: readiness(system, name).status_code == 200, within)  # noqa: B023 - called at once
        assert 'stagecast_dependency_ready{dependency="broker"} 1.0' in metrics(system, name)


def assert_refused_at_once(system: System, sentence: str) -> None:
    began = time.monotonic()
    with system.client() as client:
        answer = client.post("/api/v1/search", json={"query": "Who calls bees?"})
    assert (answer.status_code, time.monotonic() - began < 1) == (503, True)
    assert sentence in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def metrics(system: System, name: str) -> str:
    answer = httpx.get(f"http://127.0.0.1:{system.ports[name]}/metrics", timeout=5)
    return answer.text


@contextmanager
def read_only(database_url: str, server_url: str) -> Iterator[None]:
    """New connections to the database can only read, and all are new."""
    name = make_url(database_url).database or ""
    with psycopg.connect(server_url, autocommit=True) as connection:
        for setting in ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
            statement = sql.SQL("ALTER DATABASE {} " + setting).format(sql.Identifier(name))
            connection.execute(statement)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            if setting.startswith("SET"):
                yield
