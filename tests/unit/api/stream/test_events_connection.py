"""Connections that were taken over from uvicorn, on real sockets with little room in them."""

import asyncio
import random
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import uvloop

from services.api.access.caller import LOCAL_USER
from services.api.log.event_log import EventLog
from services.api.log.ring import Ring
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
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


async def connect(hub: Hub, rest: Callable[[], float]) -> Peer:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    subscriber = TransportSubscriber(transport, set())
    transport.set_protocol(subscriber)
    hub.open(subscriber, StreamRequest(View(LOCAL_USER, Filter())))
    return Peer(theirs, rest)


async def follow(dice: random.Random) -> list[Peer]:
    """Many events in groups, to one who reads at once, one now and then, and one in fits and starts."""
    event_log = EventLog("amqp://127.0.0.1:1/")
    event_log._replace(Ring(entry(0).position))
    hub = Hub(event_log, StreamLimits())
    rests = (lambda: 0.0, lambda: 0.001 * dice.random(), lambda: 0.05 if dice.random() < 0.05 else 0.0)
    peers = [await connect(hub, rest) for rest in rests]
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
