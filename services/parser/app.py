"""The wiring of the parser's process."""

from dataclasses import replace
from functools import partial

from faststream.asgi import AsgiFastStream

from contracts import stages
from contracts.lanes import Lane
from services.lifecycle.status_reporter import StatusReporter
from services.pacing.pace_table import KnownPaces
from services.parser.parse_command import Large, ParseCommandHandler
from services.parser.parser_settings import ParserSettings
from services.parser.sandbox import Sandbox
from services.runtime.object_store import ObjectStore
from services.runtime.process.stage_app import StageApp

BULK_NICENESS = 5
"""Of the children that read bulk: where processors are short, those of the first lane have three times as much."""


def create_app(settings: ParserSettings) -> AsgiFastStream:
    """Wire the parser; connections open in its lifespan."""
    slots = settings.parse_concurrency + settings.parse_spare_slots
    stage = StageApp.create(stages.named("parse"), settings, connections=4 * slots + 2)
    handler = ParseCommandHandler(
        spec=stage.spec,
        engine=stage.engine,
        objects=ObjectStore(settings.object_store_url),
        sandbox=_sandbox(settings, niceness=0),
        reporter=StatusReporter(stage.publisher, stage.spec.service),
        batch_chunks=settings.embed_batch_chunks,
        paces=KnownPaces(stage.engine),
        large=Large(pages=settings.large_pages, chunks=settings.large_chunks),
    )
    # Of its own: no number of large files keeps a child from what somebody waits for.
    bulk = replace(handler, sandbox=_sandbox(settings, niceness=BULK_NICENESS))
    stage.consume(handler.handle, prefetch=settings.parse_concurrency, bulk=bulk.handle)
    for number in range(settings.parse_spare_slots):
        for lane, one in ((Lane.FIRST, handler), (Lane.BULK, bulk)):
            stage.consume_beside(lane, one.handle, rests=partial(_is_spare, one.sandbox, number))
    return stage.app(handler.sandbox, bulk.sandbox)


def _is_spare(sandbox: Sandbox, number: int) -> str | None:
    """Say why the slot of that number takes nothing; None when a document is slow for which it stands in."""
    return None if sandbox.slow_documents > number else "no document is slow"


def _sandbox(settings: ParserSettings, *, niceness: int) -> Sandbox:
    return Sandbox(
        processes=settings.parse_concurrency,
        spare_processes=settings.parse_spare_slots,
        memory_bytes=settings.parse_memory_bytes,
        timeout_seconds=settings.parse_timeout_seconds,
        stall_seconds=settings.parse_stall_seconds,
        stand_in_seconds=settings.parse_stand_in_seconds,
        pdf_engine=settings.pdf_engine,
        embedding_model=settings.embedding_model,
        niceness=niceness,
    )
