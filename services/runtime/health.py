"""``/healthz``, ``/readyz`` and ``/metrics``, the same on each service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from faststream.rabbit import RabbitBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[str | None]]
"""Returns None when the dependency answers, else why not."""


def broker_check(broker: RabbitBroker) -> Check:
    """Whether the connection to RabbitMQ is open."""

    async def check() -> str | None:
        return None if await broker.ping(timeout=CHECK_SECONDS) else "not connected"

    return check


def database_check(engine: AsyncEngine) -> Check:
    """Whether PostgreSQL answers a statement."""

    async def check() -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS), engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError:
            return "no answer in time"
        except Exception as error:
            return " ".join(str(error).split())[:200]
        return None

    return check


async def unready(checks: Mapping[str, Check]) -> dict[str, str]:
    """The dependencies that don't answer, with the reason; empty when the service is ready."""
    answers = await asyncio.gather(*(check() for check in checks.values()))
    return {name: reason for name, reason in zip(checks, answers, strict=True) if reason is not None}
