"""Admission of work: known before it is asked for, so that a refusal is quick, and no upload hangs.

A broker that ran out of memory or disk tells a connection so only after that has published, and then reads
nothing more from it. So a probe is published every second on a connection that has no other use; as long as it
is not confirmed, nothing else would be. What is found missing of the topology is declared again.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import cycle
from time import monotonic
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel

from contracts import topology
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.declare import declare_once
from services.runtime.process.logging import get_logger

INTERVAL_SECONDS = 1.0
PATIENCE_SECONDS = 1.0
"""An answer to a probe may take so long before uploads are refused; twice as long as lately where that is more."""
LONGEST_PATIENCE_SECONDS = 4.0
"""Less than a publish waits for its confirm."""
FORGETTING = 0.98
"""So much of a longer patience is left after each answer: the tenth part after a hundred, in 20 s."""

Answer = TypeVar("Answer")

log = get_logger(__name__)


@dataclass
class Admission:
    """Refuses work by ``check`` while the broker would not take it; ``run`` keeps that up to date."""

    rabbitmq_url: str
    _refusal: str | None = "not connected yet"
    _known: asyncio.Event = field(default_factory=asyncio.Event)
    _patience: float = PATIENCE_SECONDS

    def check(self) -> None:
        """Raise Unavailable when a command would not be taken now."""
        if self._refusal is not None:
            raise Unavailable("broker", self._refusal)

    async def opened(self) -> None:
        """Wait until the first probe was answered or given up."""
        await self._known.wait()

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            try:
                await self._probe_connection()
            except (*BROKER_ERRORS, RuntimeError) as error:  # "not opened", while it closes
                self._conclude(str(error) or type(error).__name__)
                await asyncio.sleep(INTERVAL_SECONDS)

    async def _probe_connection(self) -> None:
        # A broker may come back empty, or somebody may delete a queue: each service waits for what it needs.
        await declare_once(self.rabbitmq_url)
        async with broker_connection(self.rabbitmq_url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(
                name := f"stagecast.probe.{id(self)}",
                exclusive=True,
                arguments={"x-max-length": 1},
            )
            for other in cycle(_other_queues()):
                self._conclude(await self._probe(channel, name, other))
                await asyncio.sleep(INTERVAL_SECONDS)

    async def _probe(self, channel: AbstractChannel, name: str, other: topology.Queue) -> str | None:
        """Return why commands would not be taken. Raises ChannelNotFoundEntity when somebody deleted a queue."""
        await self._answered(channel.default_exchange.publish(aio_pika.Message(b""), name))
        await self._answered(channel.get_queue(other.name))
        for queue in topology.work_queues():
            declared = (await self._answered(channel.get_queue(queue.name))).declaration_result
            if (declared.message_count or 0) >= topology.MAX_WAITING_COMMANDS:
                return f"{queue.name} is full"
        return None

    async def _answered(self, question: Coroutine[object, object, Answer]) -> Answer:
        """Return the answer, and refuse work while it takes longer than is usual."""
        asked, began = asyncio.ensure_future(question), monotonic()
        try:
            done, _ = await asyncio.wait([asked], timeout=self._patience)
            if not done:
                self._conclude("it takes no messages just now")
                await asyncio.wait([asked])
            if asked.cancelled():
                # By aiormq, when its connection is lost; passed on, it would end ``run``, and refuse for ever.
                raise ConnectionError("the connection was lost")
            # A broker that is always so slow takes work all the same: to refuse and take it in turn helps nobody.
            usual = max(2 * (monotonic() - began), self._patience * FORGETTING)
            self._patience = min(max(usual, PATIENCE_SECONDS), LONGEST_PATIENCE_SECONDS)
            return asked.result()
        finally:
            asked.cancel()

    def _conclude(self, refusal: str | None) -> None:
        if refusal != self._refusal:
            log.info("admission_changed", refused=refusal)
        self._refusal = refusal
        self._known.set()


def _other_queues() -> list[topology.Queue]:
    work = {queue.name for queue in topology.work_queues()}
    return [queue for queue in topology.queues() if queue.name not in work]
