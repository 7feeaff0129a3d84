"""Stops work that is superseded: its document was deleted, its attempt has ended, or a newer one has begun."""

import asyncio
from collections.abc import Coroutine
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.lifecycle.document_attempt import DocumentAttempt, wanted_among
from services.runtime.database.engine import autocommit
from services.runtime.errors import Superseded
from services.runtime.process.background import cancel_all, run_step

LOOK_SECONDS = 0.3
"""Between two looks at the rows: work that is in vain ends within a second, the model's running batch included."""

T = TypeVar("T")


async def while_wanted(engine: AsyncEngine, attempt: DocumentAttempt, work: Coroutine[Any, Any, T]) -> T:
    """Do the work of an attempt as long as that is wanted.

    Raises Superseded when it is not, once the work is cancelled and has ended. A database that is away stops none.
    """
    working = asyncio.create_task(work, name="watched work")
    watching = asyncio.create_task(_watch(engine).until_unwanted(attempt), name="attempt watch")
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Superseded(f"{attempt.document_id} attempt {attempt.attempt}")
    finally:
        await cancel_all(working, watching)


class _Watch:
    """Looks at all attempts that the process works on, with one question each time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._watched: dict[asyncio.Event, tuple[str, int]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def until_unwanted(self, attempt: DocumentAttempt) -> None:
        """Return when the attempt is not wanted any more."""
        is_unwanted = asyncio.Event()
        self._watched[is_unwanted] = attempt.key
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on(), name="attempt watch")
        try:
            await is_unwanted.wait()
        finally:
            del self._watched[is_unwanted]

    async def _look_on(self) -> None:
        """Look until nothing is worked on."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._watched:
                return
            await run_step("attempt watch", partial(self._look, dict(self._watched)))

    async def _look(self, watched: dict[asyncio.Event, tuple[str, int]]) -> None:
        async with autocommit(self._engine).connect() as connection:
            wanted = await wanted_among(connection, set(watched.values()))
        for is_unwanted, key in watched.items():
            if key not in wanted:
                is_unwanted.set()


@cache
def _watch(engine: AsyncEngine) -> _Watch:
    return _Watch(engine)
