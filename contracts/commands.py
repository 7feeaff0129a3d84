"""The commands by which one stage asks the next. They carry ids: the bytes and texts are in the stores.

A command without ``attempt``, as a person may write it in the management UI, is for the current one.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from contracts.wire import MAX_INTEGER, DocumentId, WireModel

Attempt = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Count = Annotated[int, Field(ge=1, le=MAX_INTEGER)]


@dataclass(frozen=True, slots=True)
class Batching:
    """The sharing out of an attempt's chunks: ``batch_chunks`` to a batch, fewer in the last."""

    chunk_count: int
    batch_chunks: int

    @property
    def batches(self) -> int:
        """The number of batches."""
        return -(-self.chunk_count // self.batch_chunks)

    def bounds(self, batch: int) -> tuple[int, int]:
        """The index of the first chunk of a batch, counted from 1, and how many chunks it has."""
        first = (batch - 1) * self.batch_chunks
        return first, min(self.batch_chunks, self.chunk_count - first)


class StageCommand(WireModel):
    """A command of any stage: it is for one attempt at one document, or for a part of that."""

    document_id: DocumentId
    attempt: Attempt | None = None

    @classmethod
    def for_attempt(cls, document_id: str, attempt: int, batching: Batching | None = None) -> list[Self]:
        """All commands that ask a stage for an attempt; ``batching`` is None before there are chunks."""
        return [cls(document_id=document_id, attempt=attempt)]

    @property
    def part(self) -> int:
        """The number of the part of the attempt that it is for, from 1 on; 1 where it is for the whole."""
        return 1

    @property
    def message_id(self) -> str:
        """The same for every repetition of one command."""
        return f"{self.document_id}/{self.attempt}"


class ParseDocument(StageCommand):
    """Turn a document's bytes into chunks."""


class EmbedChunks(StageCommand):
    """Embed the chunks ``first`` to ``first + count - 1`` of a document: batch ``batch`` of ``batches``."""

    batch: Count
    batches: Count
    first: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    count: Count

    @classmethod
    def for_attempt(cls, document_id: str, attempt: int, batching: Batching | None = None) -> list[Self]:
        """One command for each batch, so that replicas share a large document."""
        if batching is None:
            return []
        bounds = ((batch, *batching.bounds(batch)) for batch in range(1, batching.batches + 1))
        return [
            cls(
                document_id=document_id,
                attempt=attempt,
                batch=batch,
                batches=batching.batches,
                first=first,
                count=count,
            )
            for batch, first, count in bounds
        ]

    @property
    def part(self) -> int:
        """The number of the batch."""
        return self.batch

    @property
    def message_id(self) -> str:
        """The same for every repetition of one command."""
        return f"{super().message_id}/{self.batch}"


class EmbedQuery(WireModel):
    """Embed a search query; the answer goes to the message's ``reply_to``."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class QueryEmbedding(WireModel):
    """The answer to ``EmbedQuery``: a unit vector of ``len(vector)`` dimensions."""

    model: str
    vector: list[float]
