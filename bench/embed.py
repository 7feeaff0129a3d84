"""Chunks per CPU-second: our embedder beside sentence-transformers as its tutorials use it.

Both embed the same chunks in the same process, in turn; what is compared is CPU time, because wall time
on a shared machine says more about the neighbours. The figure is the median of the pairs' ratios.
One thread by default: with more, on a busy machine, CPU time also counts threads that spin for each other.

    python -m bench.embed [--pairs 5] [--chunks 96] [--threads 1]
"""

import argparse
import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np
from numpy.typing import NDArray
from semantic_text_splitter import TextSplitter
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from services.embedder.batcher import Batcher
from services.embedder.checksum import bundled_directory
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.loading import load_model
from services.embedder.model_options import ModelOptions
from services.runtime.bundled_model import BUNDLED_MODEL

Vectors = NDArray[np.float32]

CHUNK_TOKENS = 254
COMMAND_CHUNKS = 32
"""Chunks that one command brings, as the parser sends them."""


@dataclass(frozen=True)
class Contender:
    name: str
    embed: Callable[[list[str]], Vectors]

    def cpu_seconds(self, chunks: list[str]) -> float:
        """CPU time of all threads of the process for these chunks."""
        start = time.process_time()
        self.embed(chunks)
        return time.process_time() - start


def sample_chunks(count: int) -> list[str]:
    """Cut English prose that comes with every Python, as documents are cut: mixed lengths, up to 256 tokens."""
    tokenizer = Tokenizer.from_file(str(bundled_directory() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, CHUNK_TOKENS)
    chunks = [chunk for name in sorted(topics) for chunk in splitter.chunks(topics[name])]
    return random.Random(7).sample(chunks, count)


def ours(model: EmbeddingModel) -> Contender:
    """The service's own path: concurrent commands through the batcher."""

    async def embed(chunks: list[str]) -> Vectors:
        commands = [chunks[start : start + COMMAND_CHUNKS] for start in range(0, len(chunks), COMMAND_CHUNKS)]
        async with Batcher(model) as batcher:
            return np.concatenate(await asyncio.gather(*map(batcher.embed, commands)))

    return Contender("ours", lambda chunks: asyncio.run(embed(chunks)))


def peer() -> Contender:
    """sentence-transformers' encode, float32, batches of 32."""
    model = SentenceTransformer(str(bundled_directory()), device="cpu", local_files_only=True)
    return Contender(
        "sentence-transformers",
        lambda chunks: np.asarray(
            model.encode(chunks, batch_size=32, normalize_embeddings=True, show_progress_bar=False),
            np.float32,
        ),
    )


def compare(left: Contender, right: Contender, chunks: list[str], pairs: int) -> list[tuple[float, float]]:
    """Chunks per CPU-second of both, pair by pair; who goes first changes."""
    speeds = []
    for pair in range(pairs):
        order = (left, right) if pair % 2 == 0 else (right, left)
        seconds = {contender.name: contender.cpu_seconds(chunks) for contender in order}
        speeds.append((len(chunks) / seconds[left.name], len(chunks) / seconds[right.name]))
        print(
            f"pair {pair + 1}: {speeds[-1][0]:.1f} against {speeds[-1][1]:.1f} chunks per CPU-second",
            flush=True,
        )
    return speeds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    chunks = sample_chunks(options.chunks)
    mine, theirs = ours(load_model(BUNDLED_MODEL, ModelOptions(threads=options.threads))), peer()
    # The first run also sets up the kernels; it serves to compare the vectors.
    cosines = np.sum(mine.embed(chunks) * theirs.embed(chunks), axis=1)
    print(f"{len(chunks)} chunks, {options.threads} threads, {os.cpu_count()} processors")
    print(f"cosine to the peer's vectors: mean {cosines.mean():.5f}, worst {cosines.min():.5f}")
    speeds = compare(mine, theirs, chunks, options.pairs)
    medians = [statistics.median(speed) for speed in zip(*speeds, strict=True)]
    ratio = statistics.median(mine_speed / their_speed for mine_speed, their_speed in speeds)
    print(f"median: {medians[0]:.1f} against {medians[1]:.1f} chunks per CPU-second, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
