"""What an event costs that one of many streams may see: the real hub, on socket pairs, without broker or browser.

python -m bench.fanout.viewers [--streams 10000] [--events 1000]
"""

import argparse
import asyncio
import logging
import resource
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
import uvloop

from contracts.events import StatusEvent
from contracts.statuses import Status
from services.api.access.caller import Caller
from services.api.log.entry import Entry, read_entry
from services.api.log.event_log import EventLog
from services.api.log.ring import Ring
from services.api.stream.filters import Filter, View
from services.api.stream.hub import Hub
from services.api.stream.stream_request import StreamLimits, StreamRequest
from services.api.stream.transport_subscriber import TransportSubscriber

APART_SECONDS = 0.01
"""Longer than the writer rests, so that each event is a round of its own."""


def entry(offset: int, owner_id: str) -> Entry:
    """An event of an owner, as it comes from the broker."""
    event = StatusEvent(
        event_id=f"e{offset}",
        document_id=f"d{offset}",
        status=Status.PARSING,
        timestamp=datetime.now(UTC),
        owner_id=owner_id,
        source="parser",
    )
    return read_entry(offset, event.type, None, event.to_wire())


async def open_streams(hub: Hub, count: int) -> list[socket.socket]:
    """Open a stream for each of so many owners, and return the browsers' ends."""
    browsers = []
    for number in range(count):
        ours, browser = socket.socketpair()
        browser.setblocking(False)
        browsers.append(browser)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        subscriber = TransportSubscriber(transport, set())
        transport.set_protocol(subscriber)
        view = View(Caller(f"owner{number}", sees_all=False), Filter())
        hub.open(subscriber, StreamRequest(view))
    return browsers


async def spend(log: EventLog, groups: Sequence[Sequence[Entry]]) -> float:
    """Let groups of events come one after the other, and return the CPU seconds."""
    began = time.process_time()
    for group in groups:
        if group:
            log._append(group)
        await asyncio.sleep(APART_SECONDS)
    return time.process_time() - began


def delivered(browsers: Sequence[socket.socket]) -> int:
    """Count the events that have arrived."""
    count = 0
    for browser in browsers:
        try:
            while data := browser.recv(1 << 16):
                count += data.count(b"event: document_processing")
        except BlockingIOError:
            continue
    return count


async def measure(streams: int, events: int) -> None:
    """Open the streams, let events come alone and by the hundred, and print what each cost."""
    log = EventLog("amqp://nowhere")
    log._replace(Ring(entry(0, "nobody").position))
    hub = Hub(log, StreamLimits(heartbeat_seconds=3000, connections=streams))
    browsers = await open_streams(hub, streams)
    hub._wheel.stop()  # what time costs is another figure
    made = [entry(number, f"owner{number * 7919 % streams}") for number in range(1, 2 * events + 1)]
    alone, together = made[:events], made[events:]
    idle = await spend(log, [()] * events)
    first = await spend(log, [[one] for one in alone]) - idle
    second = await spend(log, [together[start : start + 100] for start in range(0, events, 100)])
    await asyncio.sleep(0.5)
    print(
        f"{streams:,} streams of as many owners: {first / events * 1e6:.0f} µs for an event that comes alone,"
        f" {second / events * 1e6:.0f} µs among a hundred; {delivered(browsers)} of {2 * events} delivered"
    )


def main() -> None:
    """Measure, with as many files as that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1000)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(measure(options.streams, options.events))


if __name__ == "__main__":
    main()
