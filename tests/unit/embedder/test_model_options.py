import sys

import pytest

from services.embedder.checksum import ModelUnavailable
from services.embedder.embedder_settings import EmbedderSettings
from services.embedder.model_options import ModelOptions, openvino_is_installed


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)


def chosen(
    options: ModelOptions, *, bundled: bool = True, native: bool = True, convertible: bool = True
) -> str:
    return str(options.runtime(bundled=bundled, has_bfloat16=native, convertible=convertible))


def test_the_machine_decides_where_nobody_else_does() -> None:
    options = ModelOptions(threads=1)
    assert chosen(options) == "openvino bfloat16"
    assert chosen(options, native=False) == "torch float32"
    assert chosen(options, bundled=False) == "openvino float32"
    assert chosen(options, convertible=False) == "torch bfloat16"


@pytest.mark.usefixtures("without_openvino")
def test_without_openvino_a_model_runs_on_torch() -> None:
    assert not openvino_is_installed()
    assert chosen(ModelOptions(threads=1)) == "torch bfloat16"
    assert chosen(ModelOptions(threads=1), native=False) == "torch float32"


def test_what_the_settings_ask_for_is_taken() -> None:
    assert chosen(ModelOptions(threads=1, backend="torch")) == "torch bfloat16"
    assert chosen(ModelOptions(threads=1, backend="openvino"), native=False) == "openvino float32"
    assert chosen(ModelOptions(threads=1, precision="int8"), native=False) == "openvino int8"
    assert chosen(ModelOptions(threads=1, backend="torch", precision="float32")) == "torch float32"


@pytest.mark.usefixtures("without_openvino")
@pytest.mark.parametrize(
    "options", [ModelOptions(threads=1, backend="openvino"), ModelOptions(threads=1, precision="int8")]
)
def test_what_was_asked_for_and_can_not_be_had_is_told(options: ModelOptions) -> None:
    with pytest.raises(ModelUnavailable, match=r"EMBEDDING_BACKEND.*not installed"):
        chosen(options)


def test_int8_on_torch_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMBEDDING_BACKEND", "torch")
    monkeypatch.setenv("EMBEDDING_PRECISION", "int8")
    with pytest.raises(SystemExit):
        EmbedderSettings.read()
    assert "EMBEDDING_PRECISION=int8 needs the backend openvino" in capsys.readouterr().err
