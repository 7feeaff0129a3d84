"""Connections that were taken over from uvicorn, on real sockets with little room in them."""

import asyncio
import random
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import uvloop

from services.api.access.caller import LOCAL_USER
from services.api.log.event_log import EventLog
from services.api.log.ring import Ring
from services.api.stream.batches import MAX_BYTES
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
from services.api.stream.sse import encode_entry
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.transport_subscriber import TransportSubscriber
from tests.support.fakes.entries import entry

EVENTS = 3000
ROOM_BYTES = 4608
"""The least that Linux grants a socket's send buffer: a few frames."""


@dataclass
class Peer:
    """The other end of a client's connection; it reads in pieces, and rests between them."""

    socket: socket.socket
    rest: Callable[[], float]
    received: bytearray = field(default_factory=bytearray)

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(self.socket, 3000):
            self.received += piece
            await asyncio.sleep(self.rest())

    def numbers(self) -> list[int]:
        """Of the events in the order of their arrival, once HTTP's chunks are taken away."""
        body, rest = bytearray(), bytes(self.received)
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) :].removeprefix(b"\r\n")
        return [int(number) for number in re.findall(rb'"eventId":"e(\d+)"', body)]


async def connect(
    hub: Hub, rest: Callable[[], float], newest: Sequence[bytes] = (), position: str | None = None
) -> tuple[Peer, TransportSubscriber]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    subscriber = TransportSubscriber(transport, set())
    transport.set_protocol(subscriber)
    everything = View(LOCAL_USER, Filter(), every_step=True)
    hub.open(subscriber, StreamRequest(everything, position, newest=newest))
    return Peer(theirs, rest), subscriber


def log_of_one_event() -> EventLog:
    event_log = EventLog("amqp://127.0.0.1:1/")
    event_log._replace(Ring(entry(0).position))
    return event_log


async def follow(dice: random.Random) -> list[Peer]:
    """Many events in groups, to one who reads at once, one now and then, and one in fits and starts."""
    event_log = log_of_one_event()
    hub = Hub(event_log, StreamLimits())
    rests = (lambda: 0.0, lambda: 0.001 * dice.random(), lambda: 0.05 if dice.random() < 0.05 else 0.0)
    peers = [(await connect(hub, rest))[0] for rest in rests]
    reading = [asyncio.create_task(peer.read()) for peer in peers]
    at = 1
    while at <= EVENTS:
        count = dice.choice((1, 1, 1, 2, 5, 60))
        event_log._append([entry(offset) for offset in range(at, min(at + count, EVENTS + 1))])
        at += count
        await asyncio.sleep(0.001 * dice.random())
    async with asyncio.timeout(20):
        while any(one.cursor != event_log.ring.end or one.paused for one in hub._subscribers):
            await asyncio.sleep(0.01)
    await hub.drain()
    await asyncio.gather(*reading)
    return peers


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_whatever_a_socket_takes_at_once_everything_arrives_once_and_in_order(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        peers = runner.run(follow(random.Random(7)))  # noqa: S311 - the same each time
    for peer in peers:
        assert peer.numbers() == list(range(1, EVENTS + 1))


async def read_a_snapshot_late() -> tuple[int, list[int]]:
    """The most that waited for a client that reads nothing at first, and the numbers of the events that it got."""
    event_log = log_of_one_event()
    event_log._append([entry(EVENTS)])
    hub = Hub(event_log, StreamLimits())
    newest = [encode_entry(entry(number)) for number in range(1, EVENTS + 1)]
    assert sum(map(len, newest)) > 8 * MAX_BYTES
    peer, subscriber = await connect(hub, lambda: 0.0, newest, str(event_log.head))
    async with asyncio.timeout(20):
        while not subscriber.paused:
            await asyncio.sleep(0)
        event_log._append([entry(EVENTS + 1)])
        waiting = subscriber.transport.get_write_buffer_size()
        reading = asyncio.create_task(peer.read())
        while not subscriber.is_following:
            waiting = max(waiting, subscriber.transport.get_write_buffer_size())
            await asyncio.sleep(0)
        await hub.drain()
        await reading
    return waiting, peer.numbers()


def test_a_large_snapshot_waits_for_a_client_that_does_not_read_in_a_buffer_that_stays_small() -> None:
    waiting, numbers = asyncio.run(read_a_snapshot_late())
    assert waiting < 2 * MAX_BYTES + 1000
    assert numbers == list(range(1, EVENTS + 2))
