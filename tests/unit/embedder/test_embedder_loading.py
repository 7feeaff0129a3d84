import sys
from pathlib import Path
from types import ModuleType

import pytest
import structlog
from structlog.testing import capture_logs

from services.embedder import loading
from services.embedder.checksum import ModelUnavailable
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.model_options import ModelOptions
from services.runtime.bundled_model import BUNDLED_MODEL

BACKEND = "services.embedder.backends.selection"


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "log", structlog.stdlib.get_logger())


def backend_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Put a backend in place that fails to load any model."""

    def load_sentence_model(*_: object, **__: object) -> EmbeddingModel:
        raise error

    backend = ModuleType(BACKEND)
    backend.__dict__["load_sentence_model"] = load_sentence_model
    monkeypatch.setitem(sys.modules, BACKEND, backend)


def test_a_torch_that_can_not_be_imported_is_logged_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, BACKEND, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with capture_logs() as logs, pytest.raises(ModelUnavailable, match=r"torch.*Set EMBEDDING_MODEL"):
        loading.load_model(str(tmp_path), ModelOptions(threads=1))
    assert logs == [
        {
            "event": "embedding_model_broken",
            "log_level": "error",
            "model": str(tmp_path),
            "exc_info": True,
        }
    ]


@pytest.mark.parametrize("error", [AttributeError("module has no attribute"), RuntimeError("operator")])
def test_a_bug_on_the_way_to_a_model_is_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    backend_raises(monkeypatch, error)
    with capture_logs() as logs, pytest.raises(ModelUnavailable, match="Set EMBEDDING_MODEL"):
        loading.load_model(str(tmp_path), ModelOptions(threads=1))
    assert [entry["event"] for entry in logs] == ["embedding_model_broken"]


def test_a_bundled_model_that_can_not_be_read_is_a_broken_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loading, "bundled_directory", lambda: tmp_path)
    backend_raises(monkeypatch, OSError("no file named config.json"))
    with capture_logs() as logs, pytest.raises(ModelUnavailable):
        loading.load_model(BUNDLED_MODEL, ModelOptions(threads=1))
    assert [entry["event"] for entry in logs] == ["embedding_model_broken"]


@pytest.mark.parametrize("error", [OSError("We couldn't connect\nto the hub"), ValueError("no model")])
def test_a_model_that_is_not_there_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    backend_raises(monkeypatch, error)
    with capture_logs() as logs, pytest.raises(ModelUnavailable) as unavailable:
        loading.load_model(str(tmp_path), ModelOptions(threads=1))
    assert logs == []
    assert "\n" not in str(unavailable.value)
