"""``/healthz``, ``/readyz`` and ``/metrics``, the same on each service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from faststream.rabbit import RabbitBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.errors import BROKER_ERRORS
from services.runtime.process.problem_details import problem_document

CHECK_SECONDS = 1.5
CONNECTED_SECONDS = 0.2
SILENT = "no answer in time"

Check = Callable[[], Awaitable[str | None]]
"""Returns None when the dependency answers, else the reason."""


def broker_check(broker: RabbitBroker) -> Check:
    """Check that RabbitMQ answers on the connection on which this process works."""

    async def ask() -> str | None:
        if not await broker.ping(timeout=CONNECTED_SECONDS):
            return "not connected"
        try:
            transport = (await broker.connect()).transport
            if transport is None:
                return "not connected"
            channel = await transport.connection.channel(publisher_confirms=False)
            await channel.close()
        except (*BROKER_ERRORS, RuntimeError) as error:
            return str(error) or type(error).__name__
        return None

    return in_time(ask)


def database_check(engine: AsyncEngine) -> Check:
    """Check that PostgreSQL answers a statement."""

    async def ask() -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS), engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError:
            return SILENT
        except Exception as error:
            return " ".join(str(error).split())[:200]
        return None

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


async def unready(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return the dependencies that don't answer, with the reason; empty when the service is ready."""
    answers = await asyncio.gather(*(check() for check in checks.values()))
    return {name: reason for name, reason in zip(checks, answers, strict=True) if reason is not None}


def unready_document(reasons: Mapping[str, str]) -> dict[str, str | int]:
    """The problem of a service that isn't ready, with each reason under the name of its dependency."""
    sentence = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return {**problem_document(503, sentence), **reasons}
