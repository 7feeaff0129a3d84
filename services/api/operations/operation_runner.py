"""Works off operations, one step of one of them after another, so that none waits for the end of another.

Whatever is killed when: what was dealt with and not counted yet is dealt with again, which changes nothing, and
each document is counted once. The event of a step is in the log before its count is committed, under an id that is
made of the count: told twice it is one.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.document_calls import OperationKind
from contracts.events import OperationProgress
from services.api.operations.document_steps import DocumentSteps
from services.api.operations.operation import Item, Operation
from services.api.operations.operation_statements import (
    Progress,
    count_done,
    count_unfinished,
    read_items,
    take_operation,
)
from services.runtime.errors import is_transient
from services.runtime.messaging.publisher import Publisher
from services.runtime.process.asyncio_guards import is_cancelled
from services.runtime.process.background import run_step

BATCH = 100
STEP_SECONDS = 1.0
"""Of one step; the documents of a batch that are left then are for the next."""
REST_SHARE = 0.5
"""Of the time of a step, in which nothing is done: what people wait for has its turn."""
MOST_UNFINISHED = 16
"""Documents that operations have begun again and that have not ended. What is uploaded meanwhile waits behind no
more than these, and a few busy workers have enough of them."""
FULL_SECONDS = 0.2
"""Until it is looked again whether some of them have ended."""
IDLE_SECONDS = 1.0
TELL_SECONDS = 1.0
"""Between two events of one operation, but for its end."""


@dataclass
class OperationRunner:
    """Works in ``run``, until cancelled; on several replicas each works on another operation."""

    engine: AsyncEngine
    publisher: Publisher
    steps: DocumentSteps
    replica: str = field(default_factory=lambda: str(uuid4()))
    _told_at: dict[str, float] = field(default_factory=dict)
    _rest_seconds: float = IDLE_SECONDS

    async def run(self) -> None:
        """Work until cancelled; waits for a broker or a database that is away."""
        while True:
            self._rest_seconds = IDLE_SECONDS
            await run_step("operations", self.step)
            await asyncio.sleep(self._rest_seconds)

    async def step(self) -> bool:
        """Take one step of the operation whose turn it is; False where there is none.

        Raises Unavailable, NoRoom.
        """
        async with self.engine.begin() as connection:
            operation = await take_operation(connection, self.replica)
        if operation is None:
            return False
        began = time.monotonic()
        items = await self._next_items(operation)
        if items is None:
            self._rest_seconds = FULL_SECONDS
            return True
        dealt, failure = await self._deal_with(operation, items)
        if dealt or not items:
            await self._count(operation, dealt)
        if failure is not None:
            raise failure
        self._rest_seconds = REST_SHARE * (time.monotonic() - began) if dealt else FULL_SECONDS
        return True

    async def _next_items(self, operation: Operation) -> list[Item] | None:
        """Return what is next, nothing at the end; None where there is no room for what is next."""
        async with self.engine.begin() as connection:
            room = BATCH
            if operation.kind is OperationKind.RETRY:
                room = max(0, MOST_UNFINISHED - await count_unfinished(connection))
            # One at least, to know whether there is any left: it is not begun where there is no room.
            items = await read_items(connection, operation, max(1, room))
        return None if items and not room else items

    async def _deal_with(
        self, operation: Operation, items: Sequence[Item]
    ) -> tuple[list[Item], Exception | None]:
        """Deal with documents until time is up or a part of the system is away; those that were, and the reason."""
        until, dealt = time.monotonic() + STEP_SECONDS, list[Item]()
        for item in items:
            if time.monotonic() > until:
                break
            try:
                await self.steps.take(operation.kind, item)
            except Exception as error:
                if is_cancelled() or not is_transient(error):
                    raise
                return dealt, error
            dealt.append(item)
        return dealt, None

    async def _count(self, operation: Operation, dealt: Sequence[Item]) -> None:
        are_begun = operation.kind is OperationKind.RETRY
        async with self.engine.begin() as connection:
            numbers = [item.number for item in dealt]
            progress = await count_done(connection, operation, numbers, are_begun=are_begun)
            if progress is not None and self._is_to_be_told(operation, progress):
                await self.publisher.event(_event(operation, progress))

    def _is_to_be_told(self, operation: Operation, progress: Progress) -> bool:
        now = time.monotonic()
        if progress.ended_at is not None:
            self._told_at.pop(operation.operation_id, None)
            return True
        if now - self._told_at.get(operation.operation_id, -TELL_SECONDS) < TELL_SECONDS:
            return False
        self._told_at[operation.operation_id] = now
        return True


def _event(operation: Operation, progress: Progress) -> OperationProgress:
    return OperationProgress(
        operation_id=operation.operation_id,
        kind=operation.kind,
        done=progress.done,
        matched=progress.matched,
        ended=progress.ended_at is not None,
        owner_id=operation.owner_id,
        timestamp=datetime.now(UTC),
    )
