"""Requests that wait for the model: search queries, then the first lane, then bulk, which is not starved."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from contracts.lanes import Lane
from services.embedder.batch_window import Window
from services.embedder.embedding_model import IndexedRow, Vectors

BULK_TOKENS = 1024
"""In one batch of bulk, padding included: whoever comes in the first lane waits for the running batch, and from so
many tokens on a batch's size makes no difference to its speed."""
FIRST_TO_BULK = 3
"""Tokens of the first lane for each of bulk, while there are both."""


@dataclass(eq=False, slots=True)
class Request:
    """The texts of one call; ``is_done`` when it was answered or cancelled."""

    texts: tuple[str, ...]
    query: bool
    lane: Lane
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Vectors]"
    vectors: dict[int, Vectors] = field(default_factory=dict)
    is_done: bool = False

    @property
    def complete(self) -> bool:
        return len(self.vectors) == len(self.texts)

    def resolve(self, error: Exception | None) -> None:
        """Answer, on the caller's loop; a caller that was cancelled has its answer already."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(np.stack([self.vectors[index] for index in range(len(self.texts))]))
        else:
            self.answer.set_exception(error)


@dataclass(frozen=True, slots=True)
class RowSlot(IndexedRow):
    """A row that waits, and the request that its vector is for."""

    request: Request


@dataclass(eq=False, slots=True)
class RequestQueue:
    """The work of one priority: requests that are not tokenized yet, then rows that wait."""

    window: Window[RowSlot]
    arrivals: deque[Request] = field(default_factory=deque)

    @property
    def busy(self) -> bool:
        return bool(self.arrivals or len(self.window))


class LaneQueues:
    """The queues of one batcher; read on the model's thread."""

    def __init__(self, *, max_tokens: int, max_rows: int) -> None:
        self._queries = RequestQueue(Window(max_tokens=max_tokens, max_rows=max_rows))
        self._first = RequestQueue(Window(max_tokens=max_tokens, max_rows=max_rows))
        self._bulk = RequestQueue(Window(max_tokens=min(max_tokens, BULK_TOKENS), max_rows=max_rows))
        self._owed_to_bulk = 0

    @property
    def busy(self) -> bool:
        """True while anything waits."""
        return self._queries.busy or self._first.busy or self._bulk.busy

    def of(self, request: Request) -> RequestQueue:
        """The queue that a request waits in."""
        if request.query:
            return self._queries
        return self._bulk if request.lane is Lane.BULK else self._first

    def has_queries_before(self, queue: RequestQueue) -> bool:
        """Return whether queries wait, and this queue's work is none."""
        return queue is not self._queries and self._queries.busy

    def in_order(self) -> tuple[RequestQueue, RequestQueue, RequestQueue]:
        """The queues in the order in which the next batch is looked for."""
        if self._owed_to_bulk >= BULK_TOKENS:
            return self._queries, self._bulk, self._first
        return self._queries, self._first, self._bulk

    def count(self, queue: RequestQueue, tokens: int) -> None:
        """Keep what bulk has coming, while it waits: a token for each three of the first lane."""
        if queue is self._bulk:
            self._owed_to_bulk = max(0, self._owed_to_bulk - tokens)
        elif queue is self._first:
            self._owed_to_bulk = self._owed_to_bulk + tokens // FIRST_TO_BULK if self._bulk.busy else 0
