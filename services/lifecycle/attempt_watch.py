"""Stops work that is superseded: its document was deleted, its attempt has ended, or a newer one has begun."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.lifecycle.document_attempt import DocumentAttempt, is_wanted
from services.runtime.database.engine import autocommit
from services.runtime.errors import Superseded
from services.runtime.process.background import cancel_all, run_step

LOOK_SECONDS = 0.5
"""Between two looks at the row: work that is in vain ends within a second."""

T = TypeVar("T")


async def while_wanted(engine: AsyncEngine, attempt: DocumentAttempt, work: Coroutine[Any, Any, T]) -> T:
    """Do the work of an attempt as long as that is wanted.

    Raises Superseded when it is not, once the work is cancelled and has ended. A database that is away stops none.
    """
    working = asyncio.create_task(work, name="watched work")
    watching = asyncio.create_task(_unwanted(engine, attempt), name="attempt watch")
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Superseded(f"{attempt.document_id} attempt {attempt.attempt}")
    finally:
        await cancel_all(working, watching)


async def _unwanted(engine: AsyncEngine, attempt: DocumentAttempt) -> None:
    """Return when the attempt is not wanted any more."""
    is_current = True

    async def look() -> None:
        nonlocal is_current
        async with autocommit(engine).connect() as connection:
            is_current = await is_wanted(connection, attempt)

    while is_current:
        await asyncio.sleep(LOOK_SECONDS)
        await run_step("attempt watch", look)
