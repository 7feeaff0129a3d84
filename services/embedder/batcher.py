"""Many requests, one model: merges the rows that wait, across documents, into batches of similar length."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

import numpy as np

from contracts.lanes import Lane
from services.embedder.batch_pace import BatchPace
from services.embedder.batch_window import MAX_ROWS, MAX_TOKENS
from services.embedder.embedding_model import EmbeddingModel, Vectors
from services.embedder.lane_queues import LaneQueues, Request, RequestQueue, RowSlot
from services.runtime.errors import Transient
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


class BatcherStopped(Transient):
    """The batcher has stopped, and these texts were not embedded; another process may."""


class Batcher:
    """Embeds the texts of concurrent callers in shared batches, on one thread of its own.

    Rows of different callers go into the model together, sorted by length and padded to at most
    ``max_tokens_per_batch`` tokens and ``max_rows`` rows, and to what ``pace`` allows while queries come. Each
    batch holds the row that has waited longest.

    Use as ``async with Batcher(model) as batcher``. The thread is needed because the model computes for
    tenths of a second; torch releases the GIL meanwhile. Nobody else may call the model while it runs.
    ``on_death`` is called, on that thread, when a bug ends it: nothing is embedded any more.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        *,
        max_tokens_per_batch: int = MAX_TOKENS,
        max_rows: int = MAX_ROWS,
        on_death: Callable[[str, Exception], None] | None = None,
        pace: BatchPace | None = None,
    ) -> None:
        self._model = model
        self._pace = pace or BatchPace()
        self._on_death = on_death
        self._changed = threading.Condition()
        self._stopping = False
        self._requests: set[Request] = set()
        self._queues = LaneQueues(max_tokens=max_tokens_per_batch, max_rows=max_rows)
        self._thread = threading.Thread(target=self._work, name="embedding-model", daemon=True)

    @property
    def alive(self) -> bool:
        """True while texts are taken: not before the start, after the stop, or when a bug ended the thread."""
        return self._thread.is_alive() and not self._stopping

    async def __aenter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the running batch end, then stop; callers whose rows still wait get BatcherStopped."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    async def embed(self, texts: Sequence[str], *, urgent: bool = False, lane: Lane = Lane.FIRST) -> Vectors:
        """Embed texts: float32 of shape (len(texts), dimensions), unit rows in the order of the texts.

        ``urgent`` is a search query: it is made ready as one, and waits for no more than the running batch. Texts
        of the bulk lane come after those of the first, but for a quarter of the model's tokens.
        A caller that is cancelled takes its waiting rows with it. Raises BatcherStopped, and whatever the
        model raised over a batch with rows of this caller.
        """
        if not texts:
            return np.empty((0, self._model.dimensions), dtype=np.float32)
        loop = asyncio.get_running_loop()
        request = Request(tuple(texts), urgent, lane, loop, loop.create_future())
        self._submit(request)
        try:
            return await request.answer
        finally:
            request.is_done = True
            with self._changed:
                self._requests.discard(request)

    def _submit(self, request: Request) -> None:
        with self._changed:
            if not self.alive:
                raise BatcherStopped("the batcher is not running")
            self._requests.add(request)
            if request.query:
                self._pace.note_query()
            self._queues.of(request).arrivals.append(request)
            self._changed.notify()

    # Everything below runs on the model's thread.

    def _work(self) -> None:
        reason: Exception | None = None
        try:
            while self._wait():
                self._step()
        except Exception as error:
            reason = error
            log.exception("model_thread_died")
        finally:
            self._refuse_the_rest(reason)
        if reason is not None and self._on_death is not None:
            self._on_death("model", reason)

    def _wait(self) -> bool:
        """Wait for rows; false when it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._queues.busy)
            return not self._stopping

    def _step(self) -> None:
        for queue in self._queues.in_order():
            # A query that waits is tokenized and run before a document is even tokenized.
            self._admit(queue)
            if self._queues.has_queries_before(queue):
                return  # one came meanwhile
            queue.window.discard(lambda slot: slot.request.is_done)
            if batch := queue.window.next_batch(self._pace.limit()):
                self._queues.count(queue, len(batch) * batch[-1].length)
                self._run(batch)
                return

    def _admit(self, queue: RequestQueue) -> None:
        while queue.arrivals and not self._queues.has_queries_before(queue):
            request = queue.arrivals.popleft()
            if request.is_done:
                continue
            try:
                rows = self._model.tokenize(request.texts, query=request.query)
            except Exception as error:
                self._settle(request, error)
            else:
                queue.window.add(RowSlot(index, row, request) for index, row in enumerate(rows))

    def _run(self, batch: Sequence[RowSlot], *, may_halve: bool = True) -> None:
        began = self._pace.clock()
        try:
            vectors = self._model.forward([slot.row for slot in batch])
        except MemoryError as error:
            if not may_halve or len(batch) == 1:
                self._fail(batch, error)
                return
            middle = len(batch) // 2
            log.warning("batch_halved", rows=len(batch))
            self._run(batch[:middle], may_halve=False)
            self._run(batch[middle:], may_halve=False)
        except Exception as error:
            self._fail(batch, error)
        else:
            self._pace.note_batch(len(batch) * max(slot.length for slot in batch), self._pace.clock() - began)
            self._deliver(batch, vectors)

    def _fail(self, batch: Sequence[RowSlot], error: Exception) -> None:
        for request in {slot.request for slot in batch}:
            self._settle(request, error)

    def _deliver(self, batch: Sequence[RowSlot], vectors: Vectors) -> None:
        for slot, vector in zip(batch, vectors, strict=True):
            slot.request.vectors[slot.index] = vector
        for request in {slot.request for slot in batch}:
            if request.complete:
                self._settle(request)

    def _settle(self, request: Request, error: Exception | None = None) -> None:
        request.is_done = True
        # The loop may be closed already, and then nobody is left to be told.
        with suppress(RuntimeError):
            request.loop.call_soon_threadsafe(request.resolve, error)

    def _refuse_the_rest(self, reason: Exception | None) -> None:
        with self._changed:
            self._stopping = True
            left = list(self._requests)
        for request in left:
            stopped = BatcherStopped("the batcher stopped before these texts were embedded")
            stopped.__cause__ = reason
            self._settle(request, stopped)
