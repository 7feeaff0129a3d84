"""What becomes of a delivery: acknowledged, tried again later, or dead with a reason.

A handler that returns is acknowledged. A failure that may pass waits in a retry queue with growing delay; the
copy there is published and confirmed before the delivery is acknowledged, so nothing falls between. A body
that fails its schema, and a failure that has been tried out, go to the stage's dead letters with the reason
in a header. Cancellation (the connection is gone, or the process stops) settles nothing: the broker delivers
again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from faststream import BaseMiddleware, StreamMessage
from faststream.rabbit.message import RabbitMessage
from pydantic import ValidationError as SchemaError
from structlog.contextvars import bound_contextvars

from contracts import stages, topology
from contracts.failures import FailureCode
from contracts.wire import WireModel
from services.runtime.errors import MalformedMessage, Superseded, Unavailable, is_transient
from services.runtime.messaging.headers import (
    CODE_HEADER,
    MANUAL_HEADER,
    REASON_HEADER,
    STAGE_HEADER,
    TRIES_HEADER,
    is_manual,
)
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.asyncio_guards import is_cancelled
from services.runtime.process.logging import get_logger

MAX_TRIES = 12
"""Tries of one command over all its retries: about 40 minutes of an absent dependency."""

MAX_TRIES_OF_BUGS = 3
"""What is nobody's absence seldom passes by itself, and a person waits for the answer."""

Decoded = TypeVar("Decoded", bound=WireModel)

log = get_logger(__name__)


def retry_delay(tries: int, *, is_transient: bool = True) -> int | None:
    """Seconds to wait after the ``tries``-th failure, or None when it is time to give up."""
    if tries >= (MAX_TRIES if is_transient else MAX_TRIES_OF_BUGS):
        return None
    return topology.RETRY_SECONDS[min((tries - 1) // 2, len(topology.RETRY_SECONDS) - 1)]


def acknowledging(stage: str, publisher: Publisher) -> type[BaseMiddleware[Any, Any]]:
    """The middleware that settles each delivery of ``stage``."""

    class Settlement(BaseMiddleware[Any, Any]):
        async def consume_scope(
            self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]
        ) -> Any:
            assert isinstance(msg, RabbitMessage)  # noqa: S101 - the broker is RabbitMQ
            tries = _tries(msg) + 1
            with bound_contextvars(stage=stage, document_id=msg.correlation_id, tries=tries):
                try:
                    result = await call_next(msg)
                except Superseded as reason:
                    log.info("superseded", work=str(reason))
                    await msg.ack()
                    result = None
                except Exception as error:
                    if is_cancelled():
                        raise asyncio.CancelledError from error  # unsettled, it comes again
                    await _handle_failure(stage, publisher, msg, tries, error)
                    result = None
                else:
                    await msg.ack()
            return result

    return Settlement


def _tries(msg: RabbitMessage) -> int:
    if REASON_HEADER in msg.headers:
        return 0  # It died, and was moved back: a new life.
    value = msg.headers.get(TRIES_HEADER, 0)
    return value if isinstance(value, int) else 0


async def _handle_failure(
    stage: str, publisher: Publisher, msg: RabbitMessage, tries: int, error: Exception
) -> None:
    try:
        await _retry_or_dead_letter(stage, publisher, msg, tries, error)
    except Unavailable as reason:
        # Neither a retry queue nor the dead letters took it: back to the head of its own queue.
        log.warning("delivery given back", reason=str(reason))
        await msg.nack(requeue=True)
    else:
        await msg.ack()


async def _retry_or_dead_letter(
    stage: str, publisher: Publisher, msg: RabbitMessage, tries: int, error: Exception
) -> None:
    if isinstance(error, MalformedMessage):
        await _dead_letter(stage, publisher, msg, f"malformed: {describe(error)}")
        return
    passes = is_transient(error)
    if passes:
        log.warning("delivery will be tried again", reason=describe(error))
    else:
        log.error("delivery failed by a bug", exc_info=error)
    seconds = retry_delay(tries, is_transient=passes)
    if seconds is None:
        code = FailureCode.DELIVERY_LIMIT if passes else stages.named(stage).crash_code
        await _dead_letter(stage, publisher, msg, f"gave up after {tries} tries: {describe(error)}", code)
        return
    headers: dict[str, Any] = {TRIES_HEADER: tries}
    if is_manual(msg.raw_message):
        headers[MANUAL_HEADER] = True
    # What failed together shall not come back together. The queue's own delay is the longest.
    wait = seconds * random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
    await _forward(publisher, topology.RETRY, f"{stage}.{seconds}", msg, headers, wait)


async def _dead_letter(
    stage: str, publisher: Publisher, msg: RabbitMessage, reason: str, code: FailureCode | None = None
) -> None:
    """``code`` is what the document fails with; a message that names none, or lies about it, fails nobody's."""
    log.warning("dead letter", reason=reason)
    headers = {REASON_HEADER: reason[:1000], STAGE_HEADER: stage, TRIES_HEADER: _tries(msg) + 1}
    if code is not None:
        headers[CODE_HEADER] = code.value
    await _forward(publisher, topology.DEAD, stage, msg, headers)


async def _forward(
    publisher: Publisher,
    exchange: topology.Exchange,
    routing_key: str,
    msg: RabbitMessage,
    headers: dict[str, Any],
    seconds: float | None = None,
) -> None:
    raw = msg.raw_message
    await publisher.forward(
        exchange,
        routing_key,
        raw.body,
        message_type=raw.type,
        message_id=raw.message_id,
        correlation_id=raw.correlation_id,
        headers={**headers},
        seconds=seconds,
    )


def decode_as(command: type[Decoded]) -> Callable[[RabbitMessage], Awaitable[Decoded]]:
    """The decoder of a subscriber; it raises MalformedMessage, so that a handler's own ValueError stays a bug."""

    async def decode(msg: RabbitMessage) -> Decoded:
        try:
            return command.model_validate_json(msg.body)
        except SchemaError as error:
            raise MalformedMessage(describe(error)) from error

    return decode


def describe(error: BaseException) -> str:
    """One line about an error, without input values that may be secret or huge."""
    if isinstance(error, SchemaError):
        fields = ((".".join(map(str, one["loc"])), one["msg"]) for one in error.errors())
        return "; ".join(": ".join(filter(None, field)) for field in fields)[:500]
    return " ".join(str(error).split())[:500] or type(error).__name__
