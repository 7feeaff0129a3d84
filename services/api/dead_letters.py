"""Tells the owner of a document that its message died, so that no document waits for ever."""

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitRouter
from faststream.rabbit.annotations import RabbitMessage
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts import topology
from contracts.commands import EmbedChunks, ParseDocument
from contracts.failures import DocumentFailed, FailureCode, Stage
from services.runtime.broker import passive_queue
from services.runtime.fence import Superseded, fenced
from services.runtime.logs import get_logger
from services.runtime.reporter import Reporter
from services.runtime.settlement import REASON_HEADER

SENTENCES = {
    FailureCode.DELIVERY_LIMIT: "The document was tried too often without success.",
    FailureCode.INTERNAL: "The document could not be processed; the reason is with its dead letter.",
}

log = get_logger(__name__)


def dead_letter_router(engine: AsyncEngine, reporter: Reporter) -> RabbitRouter:
    """Consumes the copy of each dead letter that is kept for reporting."""
    router = RabbitRouter()

    async def raw(message: RabbitMessage) -> bytes:
        return message.body

    @router.subscriber(
        passive_queue(topology.DEAD_REPORT),
        channel=Channel(prefetch_count=10, on_return_raises=True),
        # Whatever goes wrong here, the dead letter itself is kept in its stage's queue; this copy comes again.
        ack_policy=AckPolicy.NACK_ON_ERROR,
        decoder=raw,
    )
    async def on_dead_letter(body: bytes, message: RabbitMessage) -> None:
        stage = message.raw_message.routing_key or ""
        await report_death(engine, reporter, stage, body, died_of(message))

    return router


def died_of(message: RabbitMessage) -> FailureCode:
    """Why a message died: we buried it with a reason, or the broker met its delivery limit."""
    return FailureCode.INTERNAL if REASON_HEADER in message.headers else FailureCode.DELIVERY_LIMIT


async def report_death(
    engine: AsyncEngine, reporter: Reporter, stage: str, body: bytes, code: FailureCode
) -> None:
    """Publish ``failed`` for the document of a dead command, unless its attempt has ended otherwise."""
    kind, failed_stage = (
        (ParseDocument, Stage.PARSING) if stage == "parse" else (EmbedChunks, Stage.EMBEDDING)
    )
    try:
        command = kind.model_validate_json(body)
        async with fenced(engine, command.document_id, command.attempt) as (_, document):
            if not document.is_done:
                await reporter.failed(document, DocumentFailed(code, SENTENCES[code]), failed_stage)
    except ValidationError:
        log.info("a dead letter names no document", stage=stage)
    except Superseded as reason:
        log.info("superseded", work=str(reason))
