"""``make up`` on the directory of a private broker that has lost its log."""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

from contracts import topology
from local.backing.lost_queues import lost_queue
from local.backing.rabbitmq import NodePorts, PrivateBroker, running_url
from services.runtime.messaging.declare import declare_once, declare_topology
from services.runtime.messaging.queue_state import QueueState, queue_state_at
from services.runtime.process.background import cancel_all
from tests.support.fakes.waiting import wait_until
from tests.support.up_command import System


@pytest.fixture
def ports(short_directory: Path) -> NodePorts:
    """Those of a node that has stopped in order, and has lost what its coordinator of streams knew."""
    broker = PrivateBroker(short_directory / "rabbitmq")
    broker.start()
    asyncio.run(declare_once(broker.url))
    assert lost_queue(broker.url, broker.management_url) == ""
    broker.stop()
    broker.ports.release()
    (node,) = (short_directory / "rabbitmq" / "mnesia").glob("*@localhost")
    shutil.rmtree(node / "coordination")
    return broker.ports


async def end_of_waiting(url: str) -> str:
    """How a declaration ended within some time after its patience with a broker; empty if it goes on."""
    declaring = asyncio.create_task(declare_topology(url, patience_seconds=1.5))
    done, _ = await asyncio.wait([declaring], timeout=2.5)
    ended = repr(declaring.exception()) if done else ""
    await cancel_all(declaring)
    return ended


def test_a_start_with_a_lost_log_sets_the_broker_aside_and_goes_on_with_a_new_one(
    short_directory: Path, ports: NodePorts, database_url: str
) -> None:
    url = f"amqp://guest:guest@127.0.0.1:{ports.amqp}/"
    system = System(short_directory, RABBITMQ_URL="", DATABASE_URL=database_url, BROKER_REPAIR_SECONDS="6")
    try:
        system.await_line(f"{topology.LOG.name} is down; if it stays so for 6 s")
        # The node is looked at as soon as it is up, when others may not get in yet.
        wait_until(lambda: asyncio.run(queue_state_at(url, topology.LOG)) is QueueState.DOWN, within=5)
        assert asyncio.run(end_of_waiting(url)) == ""  # a service that starts meanwhile waits
        system.await_line(f"{topology.LOG.name} has been down for 6 s")
        system.await_line("rm -r ")
        wait_until(lambda: running_url(short_directory / "rabbitmq"), within=40)
        assert running_url(short_directory / "rabbitmq") == url
        (aside,) = short_directory.glob("rabbitmq.lost-*")
        assert (aside / "mnesia").exists()
        assert system.said(f"rm -r {aside}$")
        wait_until(lambda: asyncio.run(queue_state_at(url, topology.LOG)) is QueueState.MISSING)
        asyncio.run(declare_once(url))
        system.await_up()
    finally:
        assert system.ends(signal.SIGINT) == 0
    assert system.left_over() == []
