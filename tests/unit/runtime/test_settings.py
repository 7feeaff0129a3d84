from pathlib import Path

import pytest

from services.api.access.caller import refuse_open_door
from services.runtime.process.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT has a wrong value"),
        ("RABBITMQ_URL", "http://localhost", "must begin with amqp://"),
        ("DATABASE_URL", "mysql://localhost", "must begin with postgresql://"),
        ("STORAGE_URL", "ftp://x", "must begin with file:// or s3://"),
        ("STORAGE_URL", "s3://", "must name a bucket"),
        ("PDF_ENGINE", "poppler", "PDF_ENGINE has a wrong value"),
        ("HEARTBEAT_SECONDS", "0", "HEARTBEAT_SECONDS has a wrong value"),
        ("INTERNAL_API_KEY", "a=1,a=2,a=3", "more than two keys"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        Settings.read()
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_wrong_secret_is_not_repeated_in_the_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://someone:planted-secret@host/db")
    with pytest.raises(SystemExit):
        Settings.read()
    assert "planted-secret" not in capsys.readouterr().err


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.read()
    assert (settings.port, settings.host) == (3000, "127.0.0.1")
    assert settings.rabbitmq_url == "amqp://guest:guest@localhost:5672/"
    assert settings.max_upload_bytes == 104857600
    assert settings.object_store_url.startswith("file://")
    assert settings.object_store_url.endswith("/data/objects")


def test_every_setting_stands_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name for name in Settings.model_fields if name.upper() not in example] == []


def test_an_api_without_tokens_listens_on_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    with pytest.raises(SystemExit, match="AUTH_DISABLED=true"):
        refuse_open_door(Settings.read())
    monkeypatch.setenv("AUTH_DISABLED", "true")
    refuse_open_door(Settings.read())
