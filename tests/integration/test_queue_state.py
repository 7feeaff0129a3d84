"""A queue that is lost while its name stays is told from one that is missing, and from a broker that is away."""

import shutil
from urllib.parse import urlsplit

import aio_pika
import pytest

from contracts import topology
from local.backing.forgotten_queue import is_forgotten
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.declare import declare_once
from services.runtime.messaging.queue_state import QueueState, queue_state, queue_state_at
from tests.support.lost_queues import lost_queues
from tests.support.virtual_host import PrivateVirtualHost

pytestmark = pytest.mark.anyio

PARSE = topology.work_queue("parse")
RETRY = topology.retry_queue("parse", 5)


def forgotten(host: PrivateVirtualHost, queue: topology.Queue) -> bool:
    return is_forgotten(host.broker, queue.name, urlsplit(host.url).path.removeprefix("/"))


async def test_queues_that_work_are_fine_and_keep_what_lies_in_them(vhost_url: str) -> None:
    await declare_once(vhost_url)
    async with broker_connection(vhost_url) as connection:
        for queue in topology.queues():
            assert await queue_state(connection, queue) is QueueState.FINE
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), PARSE.name)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), topology.LOG.name)
        for _ in range(3):
            assert await queue_state(connection, PARSE) is QueueState.FINE
            assert await queue_state(connection, topology.LOG) is QueueState.FINE
        kept = await (await channel.get_queue(PARSE.name)).get()
        assert not kept.redelivered


async def test_a_queue_whose_process_ended_is_down_and_forgotten_only_if_no_start_brings_it_back(
    private_broker: PrivateVirtualHost,
) -> None:
    await declare_once(private_broker.url)
    assert not forgotten(private_broker, topology.LOG)
    with lost_queues(private_broker, RETRY, topology.LOG):
        await declare_once(private_broker.url)  # which does not help
        states = [await queue_state_at(private_broker.url, queue) for queue in (RETRY, PARSE, topology.LOG)]
        assert states == [QueueState.DOWN, QueueState.FINE, QueueState.DOWN]
        assert [forgotten(private_broker, queue) for queue in (RETRY, topology.LOG)] == [False, True]
    assert await queue_state_at(private_broker.url, RETRY) is QueueState.FINE


async def test_a_stream_whose_coordinator_has_lost_its_files_is_down_and_forgotten(
    private_broker: PrivateVirtualHost,
) -> None:
    await declare_once(private_broker.url)
    private_broker.kill()
    (node,) = (private_broker.broker.directory / "mnesia").glob("*@localhost")
    shutil.rmtree(node / "coordination")
    private_broker.start()
    assert await queue_state_at(private_broker.url, topology.LOG) is QueueState.DOWN
    assert forgotten(private_broker, topology.LOG)
    assert not forgotten(private_broker, PARSE)


async def test_a_queue_that_nobody_declared_is_missing(vhost_url: str) -> None:
    assert await queue_state_at(vhost_url, PARSE) is QueueState.MISSING
    assert await queue_state_at(vhost_url, topology.LOG) is QueueState.MISSING


async def test_of_a_broker_that_is_away_nothing_is_known() -> None:
    assert await queue_state_at("amqp://127.0.0.1:1/", PARSE) is QueueState.NOT_CONNECTED
