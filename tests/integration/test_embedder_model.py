import json
import socket
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.embedder.backends.sentence_transformers_backend import (
    TokenizedModel,
    WholeTextModel,
)
from services.embedder.checksum import ModelUnavailable, bundled_directory
from services.embedder.embedding_model import EmbeddingModel, Vectors
from services.embedder.loading import load_model
from services.embedder.model_options import ModelOptions, has_bfloat16
from services.parser.chunking.chunker import TARGET_TOKENS, Chunker
from services.parser.parsed_document import Block
from services.parser.tokenizer import ModelTokenizer
from services.runtime.bundled_model import BUNDLED_MODEL

TEXTS = [
    text[start : start + length]
    for text, start, length in zip(
        [topics[name] for name in sorted(topics) if len(topics[name]) > 3000][:12],
        range(100, 1300, 100),
        (5, 40, 80, 160, 240, 320, 480, 640, 800, 1000, 1200, 2800),
        strict=True,
    )
]
"""English prose that comes with every Python, from a word to more than the model reads."""


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return load_model(BUNDLED_MODEL, ModelOptions(threads=2))


@pytest.fixture(scope="module")
def plain() -> SentenceTransformer:
    """The same weights as every tutorial uses them."""
    return SentenceTransformer(str(bundled_directory()), device="cpu", local_files_only=True)


@pytest.fixture
def calls_to_the_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    calls: list[object] = []

    def refuse(*destination: object, **_: object) -> None:
        calls.append(destination)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return calls


def cosines(left: Vectors, right: Vectors) -> Vectors:
    product: Vectors = (
        np.sum(left * right, axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    )
    return product


def encode(plain: SentenceTransformer, texts: list[str]) -> Vectors:
    return np.asarray(plain.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float32)


def test_the_bundled_model_loads_without_a_call_to_the_network(calls_to_the_network: list[object]) -> None:
    model = load_model("all-MiniLM-L6-v2", ModelOptions(threads=1))
    assert (model.name, model.dimensions, model.max_tokens) == (BUNDLED_MODEL, 384, 256)
    assert calls_to_the_network == []


def test_vectors_are_those_of_sentence_transformers(
    model: EmbeddingModel, plain: SentenceTransformer
) -> None:
    found = cosines(model.embed(TEXTS), encode(plain, TEXTS))
    assert found.mean() >= 0.9995
    assert found.min() >= 0.999


def test_our_batches_change_nothing_at_equal_precision(plain: SentenceTransformer) -> None:
    found = cosines(TokenizedModel(plain, "plain").embed(TEXTS), encode(plain, TEXTS))
    assert found.min() > 0.999999


def test_vectors_have_length_one(model: EmbeddingModel) -> None:
    vectors = model.embed([*TEXTS, ""])
    assert vectors.shape == (len(TEXTS) + 1, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_text_longer_than_the_model_reads_is_cut_at_its_limit(model: EmbeddingModel) -> None:
    short, long = model.tokenize(["two words", "word " * 1000])
    assert (short.length, long.length) == (4, 256)
    assert len(long.features["input_ids"]) == 256


def test_no_chunk_is_cut_by_the_model_with_its_context_before_it(model: EmbeddingModel) -> None:
    chunker = Chunker(ModelTokenizer.load(BUNDLED_MODEL))
    blocks = [Block(topics[name], headings=("Topics", f"{name} " * 20)) for name in sorted(topics)[:40]]
    chunks = chunker.chunks(
        blocks, "What Python's help says of the language, its statements and its types " * 3
    )
    read = [row.length for row in model.tokenize([chunk.embedded_text for chunk in chunks])]
    assert read == [chunk.token_count for chunk in chunks]
    assert max(read) <= TARGET_TOKENS


def test_the_sentence_that_answers_is_nearer_than_the_others(model: EmbeddingModel) -> None:
    (query,) = model.embed(["How tall is the tower?"], query=True)
    passages = model.embed(["The tower is 324 metres high.", "Bread needs flour.", "She plays chess."])
    assert np.argmax(passages @ query) == 0


def test_a_models_prompt_for_queries_is_used_for_queries_alone(plain: SentenceTransformer) -> None:
    prompted = TokenizedModel(
        SentenceTransformer(modules=list(plain), prompts={"query": "find: "}, device="cpu"), "prompted"
    )
    as_query, as_passage = prompted.embed(["a text"], query=True), prompted.embed(["a text"])
    np.testing.assert_allclose(as_query, encode(plain, ["find: a text"]), atol=1e-5)
    np.testing.assert_allclose(as_passage, encode(plain, ["a text"]), atol=1e-5)


def test_a_model_that_is_no_transformer_is_loaded_from_its_path(tmp_path: Path) -> None:
    words = {"[UNK]": 0, "apple": 1, "pear": 2, "engine": 3}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = np.array([[1, 1], [3, 4], [4, 3], [-5, 0]], dtype=np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)]).save(str(tmp_path))
    model = load_model(str(tmp_path), ModelOptions(threads=1))
    assert isinstance(model, WholeTextModel)
    expected = np.array([[0.6, 0.8], [-1, 0], [0.8, 0.6]])
    np.testing.assert_allclose(model.embed(["apple", "engine", "pear"]), expected, atol=1e-6)


def test_a_directory_without_a_model_gives_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(ModelUnavailable, match="Set EMBEDDING_MODEL"):
        load_model(str(tmp_path), ModelOptions(threads=1))


def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(
    tmp_path: Path, calls_to_the_network: list[object]
) -> None:
    with pytest.raises(ModelUnavailable, match="no such directory"):
        load_model(str(tmp_path / "absent"), ModelOptions(threads=1))
    assert calls_to_the_network == []


def test_a_model_that_the_hub_does_not_give_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Offline by decision, because an unreachable hub is tried again for a minute.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="stagecast-tests/absent can't be loaded"):
        load_model("stagecast-tests/absent", ModelOptions(threads=1))


class BoundlessModel(TokenizedModel):
    """Wants four petabytes for every batch."""

    def _encode(self, rows: object) -> torch.Tensor:
        return torch.empty((len(self.name), 2**52), dtype=torch.uint8)


def test_torch_out_of_memory_is_a_memory_error(model: EmbeddingModel) -> None:
    assert isinstance(model, TokenizedModel)
    boundless = BoundlessModel.__new__(BoundlessModel)
    boundless.name = "x"
    with pytest.raises(MemoryError):
        boundless.forward(model.tokenize(["text"]))


def test_bfloat16_is_used_where_the_processor_has_it_natively() -> None:
    assert has_bfloat16({"avx512_bf16": True, "amx_bf16": False})
    assert has_bfloat16({"amx_bf16": True})
    assert not has_bfloat16({"avx512_bf16": False, "avx2": True})
