"""Fails the documents of dead letters, so that none waits for ever."""

import asyncio

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import stages, topology
from contracts.failures import DocumentFailed, FailureCode
from services.lifecycle.document_attempt import locked_attempt
from services.lifecycle.outcome import fail, publish_outcome
from services.lifecycle.status_reporter import StatusReporter
from services.runtime.errors import Superseded, is_transient
from services.runtime.messaging.broker import passive_queue
from services.runtime.messaging.headers import CODE_HEADER, REASON_HEADER
from services.runtime.process.logging import get_logger

TRIED_OUT = "The document was tried too often without success."

PAUSE_SECONDS = 2.0
"""Before a report that failed is given back: the broker delivers it again at once, and for ever."""

log = get_logger(__name__)


def dead_letter_router(engine: AsyncEngine, reporter: StatusReporter) -> RabbitRouter:
    """Return the consumer of the copy of each dead letter that is kept for reporting."""
    router = RabbitRouter()

    async def raw(message: RabbitMessage) -> bytes:
        return message.body

    @router.subscriber(
        passive_queue(topology.DEAD_REPORT),
        channel=Channel(prefetch_count=10, on_return_raises=True),
        ack_policy=AckPolicy.MANUAL,
        decoder=raw,
    )
    async def on_dead_letter(body: bytes, message: RabbitMessage) -> None:
        try:
            await fail_document(
                engine, reporter, message.raw_message.routing_key or "", body, failure_code_of(message)
            )
        except Exception as error:
            if is_transient(error):
                await asyncio.sleep(PAUSE_SECONDS)
                await message.nack(requeue=True)
                return
            # Given back it would meet the bug for ever, and ten of them would keep all others from being reported.
            # The dead letter itself is in its stage's queue, and its document is one that the sweeper asks about.
            log.exception("dead_letter_report_failed")
        await message.ack()

    return router


def failure_code_of(message: RabbitMessage) -> FailureCode | None:
    """Return the code that a dead command's document fails with: ours, or that of the broker's delivery limit.

    None for a message that died because it made no sense; it speaks for no document.
    """
    if REASON_HEADER not in message.headers:
        return FailureCode.DELIVERY_LIMIT
    code = message.headers.get(CODE_HEADER)
    meant = {FailureCode.DELIVERY_LIMIT, *(spec.crash_code for spec in stages.STAGES)}
    return FailureCode(code) if code in meant else None


async def fail_document(
    engine: AsyncEngine, reporter: StatusReporter, stage: str, body: bytes, code: FailureCode | None
) -> None:
    """Publish ``failed`` for the document of a dead command, unless its attempt has ended otherwise."""
    spec = stages.named(stage)
    if code is None:
        return
    failure = DocumentFailed(code, spec.crash_sentence if code is spec.crash_code else TRIED_OUT)
    try:
        command = spec.command.model_validate_json(body)
        async with locked_attempt(engine, command.document_id, command.attempt, even_if_done=True) as (
            _,
            attempt,
        ):
            pass
        if not attempt.is_done:
            await fail(engine, reporter, attempt, failure, spec.stage)
        await publish_outcome(engine, reporter, *attempt.key)
    except ValidationError:
        log.info("dead_letter_without_document", stage=stage)
    except Superseded as reason:
        log.info("superseded", work=str(reason))
