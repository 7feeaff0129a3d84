"""The interface of a model that turns texts into vectors; ``backends`` implement it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.embedder.batch_window import Window
from services.embedder.model_options import Runtime

Vectors = NDArray[np.float32]
"""Shape (rows, dimensions); each row has length 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text made ready for the model: tokenized once, and measured, before it is put into a batch.

    ``length`` counts tokens, special ones included, after truncation. ``features`` are the tokenizer's
    lists of that length; empty for models that take whole texts.
    """

    text: str
    length: int
    features: Mapping[str, Sequence[int]] = field(default_factory=dict)
    query: bool = False


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """A row with its index among the texts that it was given with."""

    index: int
    row: Row

    @property
    def length(self) -> int:
        """The row's tokens."""
        return self.row.length


class EmbeddingModel(Protocol):
    """A model of one name. Not safe to call from two threads at once."""

    name: str
    dimensions: int
    max_tokens: int

    runtime: Runtime | None = None
    """What it runs on; None where nothing was chosen."""

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        """Make texts ready, truncated to ``max_tokens``; some models treat a ``query`` in its own way."""

    def forward(self, rows: Sequence[Row]) -> Vectors:
        """Run one batch, in the order given; raises MemoryError when it does not fit."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed texts, in the order given, in batches of similar length."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        window: Window[IndexedRow] = Window()
        window.add(IndexedRow(index, row) for index, row in enumerate(self.tokenize(texts, query=query)))
        while batch := window.next_batch():
            vectors[[indexed.index for indexed in batch]] = self.forward([indexed.row for indexed in batch])
        return vectors


def unit(vectors: Vectors) -> Vectors:
    """Scale each row to length 1; raises ValueError for a row of zeros, infinities or NaN."""
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise ValueError("the model gave a vector without a direction")
    return vectors / lengths
