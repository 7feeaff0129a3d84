"""Streams through the sudden death of API and broker: nothing is missed, and a broker's absence is only a delay."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import pytest

from contracts import topology
from contracts.events import StatusEvent
from tests.conftest import missing
from tests.fakes.waiting import wait_until
from tests.system import System, following
from tests.virtual_host import PrivateVirtualHost

EVENTSOURCE = "eventsource@4"
NODE_CLIENT = """
import { EventSource } from 'eventsource'
const source = new EventSource(process.argv[2])
source.addEventListener('connected', () => console.log('connected'))
source.addEventListener('document_processing', (event) => console.log(JSON.parse(event.data).eventId))
"""


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
            except (OSError, aio_pika.exceptions.AMQPError, TimeoutError):
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
    thread = threading.Thread(target=pour.run, daemon=True)
    thread.start()
    try:
        yield pour
    finally:
        pour.stop()
        thread.join(20)


@dataclass
class CurlFollower:
    """A shell script's idea of a client: curl in a loop, with the last id that it saw."""

    url: str
    seen: list[str] = field(default_factory=list)
    last_event_id: str = ""
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    def run(self) -> None:
        while not self.stopped:
            command = ["curl", "-sN", "-H", f"Last-Event-ID: {self.last_event_id}", self.url]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert self.process.stdout is not None
            frame: dict[str, str] = {}
            for line in self.process.stdout:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    frame[name] = value
                else:
                    self._take(frame)
                    frame = {}
            self.process.wait()
            time.sleep(0.1)

    def stop(self) -> None:
        self.stopped = True
        if self.process is not None:
            self.process.kill()

    def _take(self, frame: dict[str, str]) -> None:
        self.last_event_id = frame.get("id", self.last_event_id)
        if frame.get("event") == "connected" and not self.last_event_id:
            self.last_event_id = json.loads(frame["data"])["position"]
        if frame.get("event") == "document_processing":
            self.seen.append(json.loads(frame["data"])["eventId"])


@pytest.fixture(scope="session")
def eventsource(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A script that follows a URL with npm's eventsource."""
    if not shutil.which("npm"):
        missing("npm is not installed.")
    directory = tmp_path_factory.mktemp("eventsource")
    (directory / "package.json").write_text('{"type": "module"}')
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", EVENTSOURCE]
    if subprocess.run(command, cwd=directory, capture_output=True).returncode:
        missing(f"{EVENTSOURCE} can't be installed.")
    script = directory / "client.mjs"
    script.write_text(NODE_CLIENT)
    return script


def _event_ids(output: Path) -> list[str]:
    return re.findall(r"n\d{6}", output.read_text())


def in_order_and_once(seen: list[str], confirmed: list[str]) -> None:
    """Each client saw all that was confirmed since it came; repeats of one id are the publisher's, and dropped."""
    once = list(dict.fromkeys(seen))
    assert once == sorted(once)
    assert once[-1] >= confirmed[-1]
    numbers = [int(event_id[1:]) for event_id in once]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_every_client_gets_every_event_through_kill_9_of_api_and_broker(
    private_broker: PrivateVirtualHost, fresh_database_url: str, tmp_path: Path, eventsource: Path
) -> None:
    system = System(tmp_path, private_broker.url, fresh_database_url)
    system.start("api")
    url = f"{system.url}/api/v1/events"
    curl = CurlFollower(url)
    curling = threading.Thread(target=curl.run, daemon=True)
    output = tmp_path / "node.txt"
    with output.open("wb") as log:
        node = subprocess.Popen(["node", eventsource, url], stdout=log, env={**os.environ, "NO_PROXY": "*"})
    try:
        curling.start()
        wait_until(lambda: "connected" in output.read_text() and curl.last_event_id)
        with following(system) as follower, pouring(private_broker.url) as pour:
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
            pour.stop()
            last = pour.confirmed[-1]
            wait_until(lambda: last in [event["eventId"] for event in follower.events("poured")], within=30)
            wait_until(lambda: last in curl.seen and last in _event_ids(output), within=30)
    finally:
        node.kill()
        node.wait()
        curl.stop()
        curling.join(5)
        system.stop()
    in_order_and_once([event["eventId"] for event in follower.events("poured")], pour.confirmed)
    in_order_and_once(curl.seen, pour.confirmed)
    in_order_and_once(_event_ids(output), pour.confirmed)


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
