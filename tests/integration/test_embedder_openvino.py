"""The bundled model on OpenVINO, beside the same weights as torch runs them in float32."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from services.embedder.backends import openvino_conversion
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.loading import load_model
from services.embedder.model_options import ModelOptions
from services.runtime.bundled_model import BUNDLED_MODEL
from tests.integration.test_embedder_model import TEXTS

Load = Callable[[ModelOptions], EmbeddingModel]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def exact() -> EmbeddingModel:
    return load_model(BUNDLED_MODEL, ModelOptions(threads=1, backend="torch", precision="float32"))


def mean_cosine(left: EmbeddingModel, right: EmbeddingModel) -> float:
    return float(np.sum(left.embed(TEXTS) * right.embed(TEXTS), axis=1).mean())


def test_its_vectors_are_those_of_the_weights_and_it_is_converted_once(
    cache: Path, exact: EmbeddingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ModelOptions(threads=2, backend="openvino", cache=cache)
    first = load_model(BUNDLED_MODEL, options)
    assert mean_cosine(first, exact) >= 0.9999
    # A query of a few words beside long texts, in a batch of its own, is the same vector.
    np.testing.assert_allclose(first.embed(["bees"])[0], first.embed([*TEXTS, "bees"])[-1], atol=0.02)

    # Its makers are told nothing of it.
    assert sys.modules["openvino_telemetry"] is None
    assert sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__.endswith("telemetry_stub")

    monkeypatch.setattr(openvino_conversion, "convert", None)
    again = load_model(BUNDLED_MODEL, options)
    np.testing.assert_array_equal(again.embed(TEXTS[:3]), first.embed(TEXTS[:3]))


def test_int8_says_what_it_loses(cache: Path, exact: EmbeddingModel) -> None:
    with capture_logs() as logs:
        model = load_model(BUNDLED_MODEL, ModelOptions(threads=1, precision="int8", cache=cache))
    (converted,) = [entry for entry in logs if entry["event"] == "model_converted"]
    assert (converted["precision"], str(model.runtime)) == ("int8", "openvino int8")
    assert 0.98 <= converted["cosine"] < 0.99999
    assert 0.99 <= mean_cosine(model, exact) < 0.99999


def test_a_machine_without_openvino_works_and_says_what_it_runs_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    with capture_logs() as logs:
        model = load_model(BUNDLED_MODEL, ModelOptions(threads=1))
    assert str(model.runtime) == "torch float32"
    assert [entry["runs_on"] for entry in logs if entry["event"] == "embedding_model_loaded"] == [
        "torch float32"
    ]


def test_a_model_that_can_not_be_converted_runs_on_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(openvino_conversion, "convert", None)
    with capture_logs() as logs:
        model = load_model(BUNDLED_MODEL, ModelOptions(threads=1, cache=tmp_path))
    assert str(model.runtime) == "torch bfloat16"
    assert "conversion_failed" in [entry["event"] for entry in logs]
