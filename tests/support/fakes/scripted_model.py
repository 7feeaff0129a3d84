"""An embedding model that writes down its batches, can be held in the middle of one, and fails on request."""

import threading
from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np

from services.embedder.embedding_model import EmbeddingModel, Row, Vectors

PATIENCE_SECONDS = 10


class ScriptedModel(EmbeddingModel):
    """A text of n characters is n tokens; its vector tells the text and its length."""

    def __init__(self, on_batch: Callable[[list[str]], None] = lambda texts: None) -> None:
        self.name = "scripted"
        self.dimensions = 2
        self.max_tokens = 10_000
        self.batches: list[list[str]] = []
        self.queries: list[str] = []
        self.running = threading.Event()
        self._on_batch = on_batch
        self._free = threading.Event()
        self._free.set()

    @property
    def seen(self) -> list[str]:
        """Every text that was run, in the order of the runs."""
        return [text for batch in self.batches for text in batch]

    def hold(self) -> None:
        """Let the next batch start, and not end until ``release``."""
        self.running.clear()
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        self.queries.extend(texts if query else ())
        return [self._row(text, query) for text in texts]

    def _row(self, text: str, query: bool) -> Row:
        if "untokenizable" in text:
            raise ValueError(text)
        return Row(text, len(text), query=query)

    def forward(self, rows: Sequence[Row]) -> Vectors:
        texts = [row.text for row in rows]
        self.batches.append(texts)
        self.running.set()
        assert self._free.wait(PATIENCE_SECONDS), "nobody released the model"
        self._on_batch(texts)
        return vectors_of(texts)


def vectors_of(texts: Sequence[str]) -> Vectors:
    """What the scripted model gives for these texts."""
    return np.array([[crc32(text.encode()) % 65_536, len(text)] for text in texts], dtype=np.float32)
