"""What one stage asks of the next. Commands carry ids: the bytes and texts are in the stores.

A command without ``attempt``, as a person may write it in the management UI, is for the current one.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.wire import DocumentId, WireModel

MAX_INTEGER = 2**31 - 1
"""PostgreSQL's integer: a number beyond it fits no column, and so no schema."""

Attempt = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Count = Annotated[int, Field(ge=1, le=MAX_INTEGER)]


class ParseDocument(WireModel):
    """Turn a document's bytes into chunks."""

    document_id: DocumentId
    attempt: Attempt | None = None


class EmbedChunks(WireModel):
    """Embed the chunks ``first`` to ``first + count - 1`` of a document: batch ``batch`` of ``batches``."""

    document_id: DocumentId
    attempt: Attempt | None = None
    batch: Count
    batches: Count
    first: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    count: Count


class EmbedQuery(WireModel):
    """Embed a search query; the answer goes to the message's ``reply_to``."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class QueryEmbedding(WireModel):
    """The answer to ``EmbedQuery``: a unit vector of ``len(vector)`` dimensions."""

    model: str
    vector: list[float]
