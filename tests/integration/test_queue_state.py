"""A queue that is lost while its name stays is told from one that is missing, and from a broker that is away."""

import shutil
from urllib.parse import urlsplit

import aio_pika
import pytest

from contracts import topology
from local.backing.queue_fate import Fate, queue_fate
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.declare import declare_once
from services.runtime.messaging.queue_state import QueueState, queue_state, queue_state_at
from tests.support.lost_queues import lost_queues
from tests.support.virtual_host import PrivateVirtualHost

pytestmark = pytest.mark.anyio

PARSE = topology.work_queue("parse")
RETRY = topology.retry_queue("parse", 5)


END_COORDINATION = """
    supervisor:terminate_child(ra_systems_sup, coordination),
    supervisor:delete_child(ra_systems_sup, coordination)."""
START_COORDINATION = """
    rabbit_ra_systems:ensure_ra_system_started(coordination),
    rabbit_stream_coordinator:recover()."""
SPOIL_COORDINATOR = """
    Spoilt = {register_listener, #{pid => no_pid, stream_id => "any"}},
    catch ra:process_command({rabbit_stream_coordinator, node()}, Spoilt, 1000),
    spoilt."""
"""It can't apply that, and has it in its log from then on."""


FORGET_THAT_IT_IS_ENTERED = """
    Unfinished = fun(Stream) ->
        list_to_tuple([
            case One of {updated, Epoch} -> {updating, Epoch - 1}; _ -> One end
            || One <- tuple_to_list(Stream)
        ])
    end,
    InMachine = fun(Machine) ->
        setelement(2, Machine, maps:map(fun(_, Stream) -> Unfinished(Stream) end, element(2, Machine)))
    end,
    sys:replace_state(rabbit_stream_coordinator, fun({leader, State}) ->
        {leader, list_to_tuple([
            case One of #{machine_state := M} -> One#{machine_state := InMachine(M)}; _ -> One end
            || One <- tuple_to_list(State)
        ])}
    end),
    mnesia:dirty_delete(rabbit_queue, rabbit_misc:r(<<"VHOST">>, queue, <<"stagecast.events.log">>))."""
"""As after a start by which it has lost the end of its log; such a stream is of a later epoch."""


def fate(host: PrivateVirtualHost, queue: topology.Queue) -> Fate:
    return queue_fate(host.broker, queue.name, urlsplit(host.url).path.removeprefix("/"))


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


async def test_a_queue_whose_process_ended_is_down_and_lost_only_if_no_start_brings_it_back(
    private_broker: PrivateVirtualHost,
) -> None:
    await declare_once(private_broker.url)
    assert fate(private_broker, topology.LOG) is Fate.UNKNOWN
    with lost_queues(private_broker, RETRY, topology.LOG):
        await declare_once(private_broker.url)  # which does not help
        states = [await queue_state_at(private_broker.url, queue) for queue in (RETRY, PARSE, topology.LOG)]
        assert states == [QueueState.DOWN, QueueState.FINE, QueueState.DOWN]
        assert [fate(private_broker, queue) for queue in (RETRY, topology.LOG)] == [Fate.UNKNOWN, Fate.LOST]
    assert await queue_state_at(private_broker.url, RETRY) is QueueState.FINE


async def test_a_coordinator_that_waits_for_ever_for_what_it_has_done_is_made_to_do_it_again(
    private_broker: PrivateVirtualHost,
) -> None:
    await declare_once(private_broker.url)
    vhost = urlsplit(private_broker.url).path.removeprefix("/")
    private_broker.broker.evaluate(FORGET_THAT_IT_IS_ENTERED.replace("VHOST", vhost))
    assert await queue_state_at(private_broker.url, topology.LOG) is QueueState.DOWN
    assert fate(private_broker, topology.LOG) is Fate.UNKNOWN
    assert await queue_state_at(private_broker.url, topology.LOG) is QueueState.FINE


async def test_of_a_stream_the_node_tells_whether_its_part_has_ended_dies_of_its_log_or_has_lost_its_files(
    private_broker: PrivateVirtualHost,
) -> None:
    await declare_once(private_broker.url)
    private_broker.broker.evaluate(END_COORDINATION)
    assert fate(private_broker, topology.LOG) is Fate.ENDED
    private_broker.broker.evaluate(START_COORDINATION)
    assert fate(private_broker, topology.LOG) is Fate.UNKNOWN
    private_broker.broker.evaluate(SPOIL_COORDINATOR)
    assert fate(private_broker, topology.LOG) is Fate.LOST
    private_broker.kill()
    (node,) = (private_broker.broker.directory / "mnesia").glob("*@localhost")
    shutil.rmtree(node / "coordination")
    private_broker.start()
    assert await queue_state_at(private_broker.url, topology.LOG) is QueueState.DOWN
    assert fate(private_broker, topology.LOG) is Fate.LOST
    assert fate(private_broker, PARSE) is Fate.UNKNOWN


async def test_a_queue_that_nobody_declared_is_missing(vhost_url: str) -> None:
    assert await queue_state_at(vhost_url, PARSE) is QueueState.MISSING
    assert await queue_state_at(vhost_url, topology.LOG) is QueueState.MISSING


async def test_of_a_broker_that_is_away_nothing_is_known() -> None:
    assert await queue_state_at("amqp://127.0.0.1:1/", PARSE) is QueueState.NOT_CONNECTED
