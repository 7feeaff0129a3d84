"""``/healthz``, ``/readyz`` and ``/metrics``, the same on each service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from faststream.rabbit import RabbitBroker
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database.write_check import why_not_written
from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.broker_watch import ALARM, NOT_CONNECTED, SILENT, BrokerWatch, describe
from services.runtime.messaging.connection import is_blocked
from services.runtime.process.problem_details import problem_document

CHECK_SECONDS = 1.5
CONNECTED_SECONDS = 0.2

Check = Callable[[], Awaitable[str | None]]
"""Returns None when the dependency does its work, else the reason."""


class Readiness:
    """Asks what a process depends on, and shows in its metrics which of them answered well."""

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        self._checks = checks
        self._gauge = Gauge(
            "stagecast_dependency_ready",
            "1 while the service can work with the dependency, else 0; asked anew at each scrape.",
            ["dependency"],
            registry=registry,
        )

    async def reasons(self) -> dict[str, str]:
        """Ask all at once, within ``CHECK_SECONDS``; return the reasons of those that fail, by name."""
        answers = await asyncio.gather(*(check() for check in self._checks.values()))
        by_name = dict(zip(self._checks, answers, strict=True))
        for name, reason in by_name.items():
            self._gauge.labels(name).set(reason is None)
        return {name: reason for name, reason in by_name.items() if reason is not None}


def broker_check(broker: RabbitBroker, watch: BrokerWatch) -> Check:
    """Check that RabbitMQ answers where this process works, takes messages, and has the queues that it needs."""
    ask = in_time(lambda: _ask_working_connection(broker))

    async def check() -> str | None:
        return watch.trouble() or await ask()

    return check


async def _ask_working_connection(broker: RabbitBroker) -> str | None:
    if not await broker.ping(timeout=CONNECTED_SECONDS):
        return NOT_CONNECTED
    try:
        connection = await broker.connect()
        if connection.transport is None:
            return NOT_CONNECTED
        if await is_blocked(connection):
            return ALARM
        channel = await connection.transport.connection.channel(publisher_confirms=False)
        await channel.close()
    except (*BROKER_ERRORS, RuntimeError) as error:
        return describe(error)
    return None


def database_check(engine: AsyncEngine) -> Check:
    """Check that PostgreSQL answers, and can be written to."""

    async def ask() -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await why_not_written(engine)
        except TimeoutError:
            return SILENT

    return in_time(ask)


def in_time(ask: Check, seconds: float = CHECK_SECONDS) -> Check:
    """Bound a check: it waits no longer than ``seconds``, and asks again only when the last question is answered.

    A question is never cut short: that would cost the connection it is asked on, once the other side answers.
    """
    asking: asyncio.Task[str | None] | None = None

    async def check() -> str | None:
        nonlocal asking
        if asking is None or asking.done():
            asking = asyncio.ensure_future(ask())
        await asyncio.wait([asking], timeout=seconds)
        if not asking.done():
            return SILENT
        # By aiormq, when its connection is lost.
        return "the connection was lost" if asking.cancelled() else asking.result()

    return check


def unready_document(reasons: Mapping[str, str]) -> dict[str, str | int]:
    """The problem of a service that isn't ready, with each reason under the name of its dependency."""
    sentence = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return {**problem_document(503, sentence), **reasons}
