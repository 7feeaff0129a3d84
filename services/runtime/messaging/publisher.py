"""Publishes events and commands, and returns only when the broker has confirmed them.

A message that the broker returned as unroutable is published again: for a fraction of a second after a
broker's restart a stream isn't there yet, and the event would be lost without a word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from aio_pika.abc import AbstractIncomingMessage, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError
from faststream.rabbit import RabbitBroker

from contracts import stages, topology
from contracts.commands import StageCommand
from contracts.events import LogEvent, OperationProgress
from contracts.lanes import Lane
from services.runtime.errors import BROKER_ERRORS, Unavailable
from services.runtime.messaging.broker import passive_exchange
from services.runtime.process.asyncio_guards import is_cancelled

CONFIRM_SECONDS = 5.0
PATIENCE_SECONDS = 15.0
PAUSE_SECONDS = 0.1


class LaneChoice(Protocol):
    """Knows which lanes are taken from."""

    def taken(self, stage: str, lane: Lane) -> Lane:
        """Return that lane, or the one that its commands are to go to instead."""


class Publisher:
    """Publishes with confirm, again until ``patience_seconds`` have passed; then raises Unavailable.

    A full queue is waited for by stages, whose own queue then fills. The API's clients can be told to come back:
    with ``refuse``, which raises Unavailable when the broker is known to take nothing, nobody waits for it, nor
    for room in a full queue.
    """

    def __init__(
        self,
        broker: RabbitBroker,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        refuse: Callable[[], None] | None = None,
        lanes: LaneChoice | None = None,
    ) -> None:
        self._broker = broker
        self._patience_seconds = patience_seconds
        self._refuse = refuse
        self._lanes = lanes

    async def event(self, event: LogEvent) -> None:
        """Append an event to the log."""
        await self._publish(
            topology.EVENTS, event.routing_key, event.to_wire(), event.type, event.event_id, _subject(event)
        )

    async def command(self, command: StageCommand, lane: Lane = Lane.FIRST) -> None:
        """Send a command to the stage that its type belongs to, in a lane.

        In the first one if nobody takes from that: beside workers of a release without it.
        """
        stage = stages.of_command(type(command)).name
        taken = self._lanes.taken(stage, lane) if self._lanes else lane
        await self._publish(
            topology.COMMANDS,
            topology.work_key(stage, taken),
            command.to_wire(),
            type(command).__name__,
            command.message_id,
            command.document_id,
        )

    async def forward(
        self,
        raw: AbstractIncomingMessage,
        exchange: topology.Exchange,
        routing_key: str,
        headers: HeadersType,
        seconds: float | None = None,
    ) -> None:
        """Put a delivery as it is on another exchange: a retry queue (for ``seconds``) or a dead letter."""
        ids = (raw.type or "", raw.message_id or "", raw.correlation_id or "")
        await self._publish(exchange, routing_key, raw.body, *ids, headers, seconds)

    async def _publish(
        self,
        exchange: topology.Exchange,
        routing_key: str,
        body: bytes,
        message_type: str,
        message_id: str,
        correlation_id: str,
        headers: HeadersType | None = None,
        expiration: float | None = None,
    ) -> None:
        send = partial(
            self._broker.publish,
            body,
            exchange=passive_exchange(exchange),
            routing_key=routing_key,
            persist=True,
            timeout=CONFIRM_SECONDS,
            content_type="application/json",
            message_type=message_type,
            message_id=message_id,
            correlation_id=correlation_id,
            headers=headers,
            expiration=expiration,
        )
        await self._send(send)

    async def _send(self, send: Callable[..., Awaitable[object]]) -> None:
        """Try until the message is confirmed, refused for good, or patience ends."""
        reason = "no confirm in time"
        try:
            async with asyncio.timeout(self._patience_seconds):
                while True:
                    if self._refuse is not None:
                        self._refuse()
                    try:
                        await send(timestamp=datetime.now(UTC))
                    except (
                        *BROKER_ERRORS,
                        RuntimeError,
                    ) as error:  # "No active transport", while it reconnects
                        if is_cancelled():
                            raise asyncio.CancelledError from error
                        reason = str(error) or type(error).__name__
                        if self._refuse is not None and _is_refused(error):
                            break
                        await asyncio.sleep(PAUSE_SECONDS)
                    else:
                        return
        except TimeoutError as error:
            raise Unavailable("broker", reason) from error
        raise Unavailable("broker", reason)


def _subject(event: LogEvent) -> str:
    return event.operation_id if isinstance(event, OperationProgress) else event.document_id


def _is_refused(error: BaseException) -> bool:
    """Return whether the broker refused because the queue is full; a message that it returned is another matter."""
    return isinstance(error, DeliveryError) and not isinstance(error, PublishError)
