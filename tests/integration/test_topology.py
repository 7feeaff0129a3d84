"""Queues as they stand in a real broker, and what becomes of messages that people put there."""

import asyncio
import json

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractIncomingMessage

from contracts import topology
from services.runtime.errors import Unavailable
from services.runtime.messaging.declare import declare_topology
from services.runtime.messaging.headers import REASON_HEADER
from tests.support.documents import pdf
from tests.support.system import System, following, until

pytestmark = pytest.mark.anyio


async def publish(url: str, queue: str, body: bytes) -> None:
    """As a person does it in the management UI: to the default exchange, with no properties."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(body), queue)


async def take(url: str, queue: str, within: float = 30) -> AbstractIncomingMessage:
    """The next message of a queue, which is removed from it."""
    connection = await aio_pika.connect(url)
    async with connection, asyncio.timeout(within):
        channel = await connection.channel()
        declared = await channel.get_queue(queue, ensure=False)
        while (message := await declared.get(fail=False)) is None:
            await asyncio.sleep(0.05)
        await message.ack()
        return message


async def test_the_topology_may_be_declared_again_and_by_several_at_once(vhost_url: str) -> None:
    await asyncio.gather(*(declare_topology(vhost_url) for _ in range(3)))
    await declare_topology(vhost_url)


async def test_every_queue_stands_as_the_contract_has_it(vhost_url: str, management_url: str) -> None:
    await declare_topology(vhost_url)
    vhost = vhost_url.rsplit("/", 1)[-1]
    async with httpx.AsyncClient(auth=("guest", "guest")) as client:
        answer = await client.get(f"{management_url}api/queues/{vhost}")
    found = {queue["name"]: queue["arguments"] for queue in answer.json()}
    assert found == {queue.name: queue.declared_arguments for queue in topology.queues()}


async def test_a_queue_with_other_arguments_stops_the_start_with_a_sentence(vhost_url: str) -> None:
    connection = await aio_pika.connect(vhost_url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(topology.work_queue("parse").name, durable=True)
    with pytest.raises(Unavailable, match="other arguments"):
        await declare_topology(vhost_url)


@pytest.mark.parametrize(
    "body",
    [b"no json", b'{"documentId": "a b"}', b"\xff\xfe", b"[]", b'{"documentId": "a", "attempt": 3000000000}'],
)
async def test_a_malformed_body_goes_to_the_dead_letters_with_its_reason(system: System, body: bytes) -> None:
    await publish(system.rabbitmq_url, "stagecast.parse", body)
    dead = await take(system.rabbitmq_url, "stagecast.parse.dead")
    assert dead.body == body
    assert str(dead.headers[REASON_HEADER]).startswith("malformed: ")


async def test_a_malformed_body_blocks_nothing(system: System) -> None:
    for number in range(5):
        await publish(system.rabbitmq_url, "stagecast.embed", b"%d is no command" % number)
    document_id = system.accept("after.pdf", pdf("Work goes on behind five bad messages."))
    assert system.finished(document_id)["status"] == "embedded"
    for _ in range(5):
        await take(system.rabbitmq_url, "stagecast.embed.dead")


async def test_a_message_put_in_by_hand_is_processed_like_any_other(system: System) -> None:
    document_id = system.accept("by-hand.pdf", pdf("This document is parsed again by hand."))
    system.finished(document_id)
    with following(system, documentId=document_id) as follower:
        await publish(
            system.rabbitmq_url, "stagecast.parse", json.dumps({"documentId": document_id}).encode()
        )
        until(
            lambda: any(e["attempt"] == 2 and e["status"] == "embedded" for e in follower.events(document_id))
        )
    assert system.document(document_id)["attempt"] == 2


async def test_a_command_for_a_document_that_is_gone_is_dropped_quietly(system: System) -> None:
    await publish(system.rabbitmq_url, "stagecast.parse", b'{"documentId": "never-was", "attempt": 1}')
    document_id = system.accept("next.pdf", pdf("The one after a command for nothing."))
    assert system.finished(document_id)["status"] == "embedded"
    assert "never-was" in system.log("parser")


async def test_commands_tell_their_type_and_their_document_in_the_management_ui(vhost_url: str) -> None:
    from contracts.commands import ParseDocument
    from services.runtime.messaging.broker import create_broker
    from services.runtime.messaging.publisher import Publisher
    from services.runtime.process.settings import CommonSettings

    await declare_topology(vhost_url)
    broker = create_broker(CommonSettings(rabbitmq_url=vhost_url), "api")
    await broker.start()
    try:
        await Publisher(broker).command(ParseDocument(document_id="d1", attempt=3))
    finally:
        await broker.stop()
    message = await take(vhost_url, "stagecast.parse")
    assert json.loads(message.body) == {"documentId": "d1", "attempt": 3}
    assert (message.type, message.correlation_id, message.message_id) == ("ParseDocument", "d1", "d1/3")
    assert (message.content_type, message.app_id) == ("application/json", "stagecast.api")
    assert message.timestamp is not None
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
