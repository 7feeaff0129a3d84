import subprocess
import sys

import numpy as np
import pytest

from services.embedder.backends.dummy_backend import DummyModel
from services.embedder.embedding_model import unit

PRINT_A_VECTOR = """
from services.embedder.backends.dummy_backend import DummyModel
print(DummyModel().embed(["a text"])[0, :3].tolist())
"""


def test_dummy_vectors_are_the_same_in_every_process() -> None:
    run = subprocess.run([sys.executable, "-c", PRINT_A_VECTOR], capture_output=True, check=True)
    assert run.stdout.decode() == f"{DummyModel().embed(['a text'])[0, :3].tolist()}\n"


def test_dummy_vectors_have_length_one() -> None:
    vectors = DummyModel(dimensions=16).embed(["one", "", "three words here"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_texts_that_share_words_are_nearer_than_texts_that_do_not() -> None:
    query, near, far = DummyModel().embed(["the red fox", "a red fox ran", "stock market news"])
    assert query @ near > query @ far


def test_texts_are_cut_at_the_models_limit() -> None:
    (row,) = DummyModel(max_tokens=8).tokenize(["word " * 100])
    assert row.length == len(row.features["input_ids"]) == 8


def test_the_interface_is_had_without_torch() -> None:
    program = "import sys, services.embedder.batcher; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_a_direction_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="direction"):
        unit(np.full((1, 3), value, dtype=np.float32))
