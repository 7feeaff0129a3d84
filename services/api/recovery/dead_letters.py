"""The messages in the dead-letter queues: looked at without taking them, and moved back one by one.

The queues themselves are the list. A table beside them would lie as soon as somebody moves or purges messages in
the management UI. Looking is ``basic.get`` on a channel that is closed without acknowledging, which puts
everything back, though not always in its order.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages, topology
from contracts.wire import Timestamp, WireModel
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.headers import REASON_HEADER, TRIES_HEADER

LOOK_LOCK = 0x53_54_43_44
SECONDS = 10.0
MOST = 1000
"""Dead letters of one stage that are looked at."""


class DeadLetter(WireModel):
    """A message that a stage gave up; ``deaths`` counts its deliveries, ``at`` is when it was put there."""

    dead_letter_id: str
    document_id: str | None
    stage: str
    reason: str
    deaths: int
    at: Timestamp


@dataclass(frozen=True)
class DeadLetterQueues:
    """The dead letters of all stages. Methods raise Unavailable."""

    engine: AsyncEngine
    rabbitmq_url: str

    async def read(self) -> list[DeadLetter]:
        """Return what lies there now, the oldest of each stage first."""
        async with self._looking() as channel:
            return [
                letter
                for spec in stages.STAGES
                for letter in sorted(await _look(channel, spec.name), key=_age)
            ]

    async def redrive(self, dead_letter_id: str) -> bool:
        """Move one back to its stage; False when it isn't there (any more).

        A crash in between leaves it in both places; what is then done twice changes nothing.
        """
        async with self._looking() as channel:
            for spec in stages.STAGES:
                async for message in _messages(channel, spec.name):
                    if describe(spec.name, message).dead_letter_id == dead_letter_id:
                        await _move_back(channel, spec.name, message)
                        return True
        return False

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[AbstractChannel]:
        """Open a channel, one at a time over all replicas: what somebody looks at, nobody else sees."""
        try:
            async with self.engine.connect() as database:
                await database.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOOK_LOCK})
                async with broker_connection(self.rabbitmq_url, SECONDS) as connection:
                    yield await connection.channel(on_return_raises=True)
        except BROKER_ERRORS as error:
            raise Unavailable("broker", str(error) or type(error).__name__) from error


async def _look(channel: AbstractChannel, stage: str) -> list[DeadLetter]:
    return [describe(stage, message) async for message in _messages(channel, stage)]


def _age(letter: DeadLetter) -> datetime:
    return letter.at


async def _messages(channel: AbstractChannel, stage: str) -> AsyncIterator[AbstractIncomingMessage]:
    queue = await channel.get_queue(topology.dead_letter_queue(stage).name, ensure=False)
    for _ in range(MOST):
        message = await queue.get(fail=False, timeout=SECONDS)
        if message is None:
            return
        yield message


async def _move_back(channel: AbstractChannel, stage: str, message: AbstractIncomingMessage) -> None:
    exchange = await channel.get_exchange(topology.COMMANDS.name, ensure=False)
    # The reason stays, so that the stage knows that a person asks again.
    headers: dict[str, Any] = {REASON_HEADER: _reason(message)}
    copy = aio_pika.Message(
        message.body,
        headers=headers,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        timestamp=datetime.now(UTC),
        type=message.type,
        app_id="stagecast.api",
    )
    await exchange.publish(copy, stage, timeout=SECONDS)
    await message.ack()


def describe(stage: str, message: AbstractIncomingMessage) -> DeadLetter:
    """Describe a message for people. The id is the same at each look, on every replica."""
    about = f"{stage}\0{message.message_id}\0{_moment(message).isoformat()}\0".encode()
    return DeadLetter(
        dead_letter_id=hashlib.blake2s(about + message.body, digest_size=16).hexdigest(),
        document_id=_document_id(stage, message),
        stage=stage,
        reason=_reason(message),
        deaths=_deaths(message),
        at=_moment(message),
    )


def _document_id(stage: str, message: AbstractIncomingMessage) -> str | None:
    try:
        return stages.named(stage).command.model_validate_json(message.body).document_id
    except ValidationError:
        return message.correlation_id or None


def _reason(message: AbstractIncomingMessage) -> str:
    given = message.headers.get(REASON_HEADER)
    if isinstance(given, str):
        return given
    return " ".join(str(death.get("reason")) for death in _x_death(message)) or "unknown"


def _deaths(message: AbstractIncomingMessage) -> int:
    tries = message.headers.get(TRIES_HEADER)
    if REASON_HEADER in message.headers and isinstance(tries, int):
        return max(1, tries)
    if any(death.get("reason") == "delivery_limit" for death in _x_death(message)):
        return topology.DELIVERY_LIMIT + 1
    return 1


def _x_death(message: AbstractIncomingMessage) -> list[dict[str, Any]]:
    deaths = message.headers.get("x-death")
    found = [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else []
    return [death for death in found if death.get("reason") != "expired"]


def _moment(message: AbstractIncomingMessage) -> datetime:
    # What a person put in may bear no time at all. Not now: the id is made of it, and has to last.
    at = message.timestamp or datetime.fromtimestamp(0, UTC)
    times = [death["time"] for death in _x_death(message) if isinstance(death.get("time"), datetime)]
    latest: datetime = max(times) if times else at
    return latest if latest.tzinfo else latest.replace(tzinfo=UTC)
