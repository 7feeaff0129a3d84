"""Streams through the sudden death of API and broker: nothing is missed, and a broker's absence is only a delay."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika

from contracts import topology
from contracts.events import StatusEvent
from services.runtime.errors import BROKER_ERRORS
from tests.support.background import in_background
from tests.support.fakes.waiting import wait_until
from tests.support.followers import (
    following_by_curl,
    following_by_node,
    following_by_page,
)
from tests.support.system import System, following
from tests.support.virtual_host import PrivateVirtualHost


@dataclass
class Pouring:
    """Publishes numbered events one after the other, each until the broker has confirmed it."""

    rabbitmq_url: str
    confirmed: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        asyncio.run(self._run())

    def stop(self) -> None:
        self._stopped.set()

    async def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                await self._pour()
            except BROKER_ERRORS:
                await asyncio.sleep(0.1)

    async def _pour(self) -> None:
        connection = await aio_pika.connect(self.rabbitmq_url, timeout=2)
        try:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(topology.EVENTS.name, ensure=False)
            while not self._stopped.is_set():
                event = _event(len(self.confirmed))
                await exchange.publish(
                    aio_pika.Message(event.to_wire(), type=event.type, delivery_mode=2),
                    event.routing_key,
                    timeout=2,
                )
                self.confirmed.append(event.event_id)
                await asyncio.sleep(0.01)
        finally:
            await connection.close()


def _event(number: int) -> StatusEvent:
    return StatusEvent.model_validate(
        {
            "eventId": f"n{number:06}",
            "documentId": "poured",
            "status": "parsing",
            "timestamp": "2026-11-22T06:00:00.123Z",
            "source": "parser",
        }
    )


@contextmanager
def pouring(rabbitmq_url: str) -> Iterator[Pouring]:
    pour = Pouring(rabbitmq_url)
    with in_background(pour):
        yield pour


def in_order_and_once(seen: list[str], confirmed: list[str]) -> None:
    """Each client saw all that was confirmed since it came; repeats of one id are the publisher's, and dropped."""
    once = list(dict.fromkeys(seen))
    assert once == sorted(once)
    assert once[-1] >= confirmed[-1]
    numbers = [int(event_id[1:]) for event_id in once]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_every_client_gets_every_event_through_kill_9_of_api_and_broker(
    private_broker: PrivateVirtualHost,
    fresh_database_url: str,
    tmp_path: Path,
    npm_clients: Path,
    chromium: Path,
) -> None:
    system = System(tmp_path, private_broker.url, fresh_database_url)
    system.start("api")
    url = f"{system.url}/api/v1/events"
    try:
        with (
            following_by_curl(url) as curl,
            following_by_node(npm_clients, tmp_path / "node.txt", url, "eventsource") as (node,),
            following_by_page(chromium, system.url) as page,
            following(system) as follower,
        ):
            others = (curl, node, page)
            wait_until(lambda: all(other.is_connected() for other in others))
            with pouring(private_broker.url) as pour:
                wait_until(lambda: len(follower.events("poured")) > 50)
                system.kill("api")
                reached = len(pour.confirmed)
                wait_until(lambda: len(pour.confirmed) > reached + 20)
                system.start("api")
                wait_until(lambda: len(follower.events("poured")) > reached + 40)
                private_broker.kill()
                private_broker.start()
                reached = len(pour.confirmed)
                wait_until(lambda: len(pour.confirmed) > reached + 20, within=60)
            last = pour.confirmed[-1]
            wait_until(lambda: last in [event["eventId"] for event in follower.events("poured")], within=30)
            wait_until(lambda: all(last in other.seen() for other in others), within=30)
            in_order_and_once([event["eventId"] for event in follower.events("poured")], pour.confirmed)
            for other in others:
                in_order_and_once(other.seen(), pour.confirmed)
    finally:
        system.stop()


def test_without_a_broker_streams_stay_open_with_heartbeats_and_go_on_where_they_were(
    private_broker: PrivateVirtualHost, fresh_database_url: str, tmp_path: Path
) -> None:
    system = System(tmp_path, private_broker.url, fresh_database_url, {"HEARTBEAT_SECONDS": "0.5"})
    system.start("api")
    try:
        with following(system) as follower, pouring(private_broker.url) as pour:
            wait_until(lambda: len(follower.events("poured")) > 20)
            private_broker.kill()
            beats = sum(kind == "heartbeat" for kind, _, _ in follower.frames)
            wait_until(lambda: sum(kind == "heartbeat" for kind, _, _ in follower.frames) > beats + 3)
            private_broker.start()
            reached = len(pour.confirmed)
            wait_until(lambda: len(pour.confirmed) > reached + 20, within=60)
            pour.stop()
            wait_until(lambda: pour.confirmed[-1] in [e["eventId"] for e in follower.events("poured")])
    finally:
        system.stop()
    in_order_and_once([event["eventId"] for event in follower.events("poured")], pour.confirmed)
    assert follower.connections == 1
    assert {kind for kind, _, _ in follower.frames} == {"connected", "heartbeat", "document_processing"}
