"""What turns texts into vectors: the interface, the way to load the real one, and a dummy beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.embedder.batch_window import Window
from services.embedder.checksum import BUNDLED_MODEL, ModelUnavailable, bundled_model

__all__ = ["DummyModel", "EmbeddingModel", "ModelUnavailable", "Row", "Vectors", "load_model"]

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


class EmbeddingModel(Protocol):
    """A model of one name. Not safe to call from two threads at once."""

    name: str
    dimensions: int
    max_tokens: int

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        """Make texts ready, truncated to ``max_tokens``; some models treat a ``query`` in its own way."""

    def forward(self, rows: Sequence[Row]) -> Vectors:
        """Run one batch, in the order given; raises MemoryError when it does not fit."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed texts, in the order given, in batches of similar length."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        window: Window[_Place] = Window()
        window.add(_Place(index, row) for index, row in enumerate(self.tokenize(texts, query=query)))
        while batch := window.next_batch():
            vectors[[place.index for place in batch]] = self.forward([place.row for place in batch])
        return vectors


@dataclass(frozen=True, slots=True)
class _Place:
    index: int
    row: Row

    @property
    def length(self) -> int:
        return self.row.length


def load_model(name: str, *, threads: int) -> EmbeddingModel:
    """Load a sentence-transformers model by hub name or path, and prove on a sentence that it works.

    The default model is the one that a package carries: its weights are checked and nothing is downloaded.
    Raises ModelUnavailable.
    """
    bundled = name in (BUNDLED_MODEL, BUNDLED_MODEL.rpartition("/")[2])
    source = str(bundled_model()) if bundled else _existing(name)
    try:
        # Torch takes seconds to import and half a gigabyte: only a process that embeds pays for it.
        from services.embedder.backends.sentence_transformers_backend import load_sentence_model

        model = load_sentence_model(
            source, BUNDLED_MODEL if bundled else name, threads=threads, bundled=bundled
        )
        model.embed(["The first sentence takes the longest."])
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelUnavailable(
            f"The embedding model {name} can't be loaded: {reason}. Set EMBEDDING_MODEL to the directory of a "
            "sentence-transformers model, or to the name of one on a hub that this machine can reach."
        ) from error
    return model


def _existing(name: str) -> str:
    # Anything else that is no directory would be looked up on the hub, and time out there.
    path = Path(name).expanduser()
    if name.startswith(("/", ".", "~")) and not path.is_dir():
        raise ModelUnavailable(f"EMBEDDING_MODEL names {name}, and there is no such directory.")
    return str(path) if path.is_dir() else name


class DummyModel(EmbeddingModel):
    """Deterministic vectors without weights: texts that share words are near each other. For tests."""

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


def unit(vectors: Vectors) -> Vectors:
    """Scale each row to length 1; raises ValueError for a row of zeros, infinities or NaN."""
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0):
        raise ValueError("the model gave a vector without a direction")
    return vectors / lengths
