"""Ends what a crash left half done: documents whose command was never sent, and deletions."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.deletion import Deletion
from services.runtime.attempts import command, launch
from services.runtime.availability import is_transient
from services.runtime.fence import FencedDocument
from services.runtime.logs import get_logger
from services.runtime.publisher import Publisher
from services.runtime.reporter import Reporter
from services.runtime.tables import documents, webhook_receipts

INTERVAL_SECONDS = 10.0
GRACE = timedelta(seconds=30)
"""Longer than an upload or a deletion takes after its row was written."""
RECEIPTS_KEPT = timedelta(days=4)
BATCH = 100

log = get_logger(__name__)


async def run_sweeper(
    engine: AsyncEngine, publisher: Publisher, reporter: Reporter, deletion: Deletion
) -> None:
    """Sweep until cancelled."""
    while True:
        try:
            await launch_forgotten(engine, publisher, reporter)
            await finish_deletions(engine, deletion)
            await drop_old_receipts(engine)
        except Exception as error:
            if not is_transient(error):
                log.exception("the sweeper met a bug")
        await asyncio.sleep(INTERVAL_SECONDS)


async def launch_forgotten(
    engine: AsyncEngine, publisher: Publisher, reporter: Reporter, grace: timedelta = GRACE
) -> int:
    """Send the command of attempts that have none; how many there were."""
    query = (
        select(
            documents.c.document_id,
            documents.c.attempt,
            documents.c.owner_id,
            documents.c.filename,
            documents.c.file_type,
            documents.c.size,
            (documents.c.status_attempt == documents.c.attempt) & documents.c.event.is_not(None),
        )
        .where(documents.c.commanded_at.is_(None), documents.c.deleted_at.is_(None))
        .where(documents.c.sha256.is_not(None), documents.c.attempted_at < func.now() - grace)
        .limit(BATCH)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    for *fields, was_announced in rows:
        document = FencedDocument(*fields)
        log.info("launching a forgotten document", document_id=document.document_id, attempt=document.attempt)
        if was_announced:
            await command(engine, publisher, document)
        else:
            await launch(engine, publisher, reporter, document)
    return len(rows)


async def finish_deletions(engine: AsyncEngine, deletion: Deletion, grace: timedelta = GRACE) -> int:
    """End deletions that were marked and not finished; how many there were."""
    query = (
        select(documents.c.document_id, documents.c.owner_id)
        .where(documents.c.deleted_at < func.now() - grace)
        .limit(BATCH)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    for document_id, owner_id in rows:
        await deletion.finish(document_id, owner_id)
    return len(rows)


async def drop_old_receipts(engine: AsyncEngine) -> None:
    """Forget webhook messages that are too old to be sent again."""
    async with engine.begin() as connection:
        await connection.execute(
            delete(webhook_receipts).where(webhook_receipts.c.received_at < func.now() - RECEIPTS_KEPT)
        )
