"""Watches whether the broker takes messages, and the queues that a process needs: known before it is asked.

A broker that ran out of memory or disk tells a connection so only after that has published, and then reads
nothing more from it. So a probe is published every second on a connection that has no other use; as long as it
is not confirmed, nothing else would be.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Self
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractConnection

from contracts import topology
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.connection import broker_connection, is_blocked
from services.runtime.messaging.queue_watch import QueueWatch
from services.runtime.process.logging import get_logger

INTERVAL_SECONDS = 1.0
BLOCKED_SECONDS = 0.2
"""An alarm is told at once."""
PATIENCE_SECONDS = 1.0
"""A confirm may take so long before work is refused; twice as long as lately where that is more."""
LONGEST_PATIENCE_SECONDS = 4.0
"""Less than a publish waits for its confirm."""
FORGETTING = 0.9
"""So much of a longer patience is left after each confirm: a tenth after 20 s."""

NOT_CONNECTED = "not connected"
SILENT = "no answer in time"
ALARM = "takes no messages just now (alarm: memory or disk)"

log = get_logger(__name__)


@dataclass
class BrokerWatch:
    """Refuses by ``require`` what the broker would not take; ``run`` and ``queues.run`` keep that up to date."""

    queues: QueueWatch
    _refusal: str | None = f"{NOT_CONNECTED} yet"
    _patience: float = PATIENCE_SECONDS

    @classmethod
    def of(
        cls,
        rabbitmq_url: str,
        needed: Sequence[topology.Queue],
        declare: Callable[[str], Awaitable[None]] | None = None,
    ) -> Self:
        """Watch these queues of the broker; ``declare`` is called when one is missing."""
        return cls(QueueWatch(rabbitmq_url, needed, declare))

    def trouble(self, *queues: topology.Queue) -> str | None:
        """Return why messages to these queues would not be taken; to all that are needed when none is given."""
        return self._refusal or self.queues.trouble(*queues)

    def require(self, *queues: topology.Queue) -> None:
        """Raise Unavailable while messages to these queues would not be taken."""
        if self._refusal is not None:
            told = f"The broker {ALARM}" if self._refusal == ALARM else None
            raise Unavailable("broker", self._refusal, told)
        if (trouble := self.queues.trouble(*queues)) is not None:
            raise Unavailable("broker", trouble, f"T{trouble[1:]}")

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            try:
                async with broker_connection(self.queues.rabbitmq_url) as connection:
                    await self._probe(connection)
            except (*BROKER_ERRORS, RuntimeError) as error:  # "not opened", while it closes
                self._conclude(f"{NOT_CONNECTED}: {describe(error)}")
                await asyncio.sleep(INTERVAL_SECONDS)

    async def _probe(self, connection: AbstractConnection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue(
            f"stagecast.probe.{uuid4()}", exclusive=True, arguments={"x-max-length": 1}
        )
        while True:
            publish = channel.default_exchange.publish(aio_pika.Message(b""), queue.name)
            await self._await_confirm(connection, asyncio.ensure_future(publish))
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _await_confirm(self, connection: AbstractConnection, confirm: asyncio.Future[object]) -> None:
        """Wait for the confirm, and refuse work while it takes longer than is usual."""
        began = monotonic()
        try:
            await asyncio.wait([confirm], timeout=BLOCKED_SECONDS)
            if not confirm.done():
                await self._conclude_unconfirmed(connection, confirm)
            await asyncio.wait([confirm])
            if confirm.cancelled():
                # By aiormq, when its connection is lost; passed on, it would end ``run``, and refuse for ever.
                raise ConnectionError("the connection was lost")
            confirm.result()
            if self._refusal != ALARM:
                # A broker that is always so slow takes work too: to refuse and take it in turn helps nobody.
                usual = max(2 * (monotonic() - began), self._patience * FORGETTING)
                self._patience = min(max(usual, PATIENCE_SECONDS), LONGEST_PATIENCE_SECONDS)
            self._conclude(None)
        finally:
            confirm.cancel()

    async def _conclude_unconfirmed(
        self, connection: AbstractConnection, confirm: asyncio.Future[object]
    ) -> None:
        if await is_blocked(connection):
            self._conclude(ALARM)
            return
        await asyncio.wait([confirm], timeout=self._patience - BLOCKED_SECONDS)
        if not confirm.done():
            self._conclude(ALARM if await is_blocked(connection) else SILENT)

    def _conclude(self, refusal: str | None) -> None:
        if _kind(refusal) != _kind(self._refusal):  # why it is not connected may be another error each second
            log.info("admission_changed", refused=refusal)
        self._refusal = refusal


def describe(error: Exception) -> str:
    """Return why a connection does not work, for operators."""
    if isinstance(
        error, RuntimeError
    ):  # the library names a channel object that is "closed", or "not opened"
        return "the connection was lost"
    return str(error) or type(error).__name__


def _kind(refusal: str | None) -> str | None:
    return refusal and refusal.partition(":")[0]
