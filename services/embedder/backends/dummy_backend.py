"""A model without weights, for tests of everything around a model."""

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np

from services.embedder.embedding_model import EmbeddingModel, Row, Vectors, unit


class DummyModel(EmbeddingModel):
    """Deterministic vectors: texts that share words are near each other."""

    def __init__(self, *, name: str = "dummy", dimensions: int = 384, max_tokens: int = 256) -> None:
        self.name = name
        self.dimensions = dimensions
        self.max_tokens = max_tokens

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        """One token a word, and one at each end."""
        return [self._row(text, query) for text in texts]

    def _row(self, text: str, query: bool) -> Row:
        words = [crc32(word.encode()) for word in text.lower().split()]
        ids = [0, *words[: self.max_tokens - 2], 1]
        return Row(text, len(ids), {"input_ids": ids}, query)

    def forward(self, rows: Sequence[Row]) -> Vectors:
        """Add up the tokens' directions."""
        sums = [sum(_direction(i, self.dimensions) for i in row.features["input_ids"]) for row in rows]
        vectors = np.array(sums, dtype=np.float32).reshape(len(rows), self.dimensions)
        return unit(vectors)


@lru_cache(maxsize=10_000)
def _direction(token: int, dimensions: int) -> Vectors:
    return np.random.default_rng(token).standard_normal(dimensions, dtype=np.float32)
