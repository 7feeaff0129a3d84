import pytest

from local.local_settings import LocalSettings
from services.api.access.caller import refuse_unprotected
from services.api.api_settings import ApiSettings
from services.embedder.embedder_settings import EmbedderSettings
from services.parser.parser_settings import ParserSettings
from services.runtime.process.settings import CommonSettings

CLASSES: tuple[type[CommonSettings], ...] = (ApiSettings, ParserSettings, EmbedderSettings)
FIELDS = sorted({name for settings in CLASSES for name in settings.model_fields})


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("settings", "name", "value", "sentence"),
    [
        (ApiSettings, "PORT", "http", "PORT has a wrong value"),
        (ApiSettings, "HEARTBEAT_SECONDS", "0", "HEARTBEAT_SECONDS has a wrong value"),
        (ApiSettings, "INTERNAL_API_KEY", "a=1,a=2,a=3", "more than two keys"),
        (ParserSettings, "PDF_ENGINE", "poppler", "PDF_ENGINE has a wrong value"),
        (EmbedderSettings, "EMBED_THREADS", "0", "EMBED_THREADS has a wrong value"),
        *(
            (settings, name, value, sentence)
            for settings in (*CLASSES, LocalSettings)
            for name, value, sentence in [
                ("RABBITMQ_URL", "http://localhost", "must begin with amqp://"),
                ("DATABASE_URL", "mysql://localhost", "must begin with postgresql://"),
                ("STORAGE_URL", "ftp://x", "must begin with file:// or s3://"),
                ("STORAGE_URL", "s3://", "must name a bucket"),
            ]
        ),
        # `make up` reads what each service reads, before it starts anything.
        (LocalSettings, "CORS_ORIGINS", "nonsense", "CORS_ORIGINS has a wrong value"),
        (LocalSettings, "PDF_ENGINE", "poppler", "PDF_ENGINE has a wrong value"),
        (LocalSettings, "EMBED_THREADS", "0", "EMBED_THREADS has a wrong value"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_it(
    settings: type[CommonSettings] | type[LocalSettings],
    name: str,
    value: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        settings.read()
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_wrong_value_stops_no_process_that_does_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ApiSettings.model_fields.keys() - ParserSettings.model_fields.keys():
        monkeypatch.setenv(name.upper(), "nonsense:*")
    ParserSettings.read()
    EmbedderSettings.read()


@pytest.mark.parametrize("settings", CLASSES)
def test_an_empty_value_means_the_default(
    settings: type[CommonSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = settings.read()
    for name in settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert settings.read() == defaults


def test_a_wrong_secret_is_not_repeated_in_the_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://someone:planted-secret@host/db")
    with pytest.raises(SystemExit):
        CommonSettings.read()
    assert "planted-secret" not in capsys.readouterr().err


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = ApiSettings.read()
    assert (settings.port, settings.host) == (3000, "127.0.0.1")
    assert settings.rabbitmq_url == "amqp://guest:guest@localhost:5672/"
    assert settings.max_upload_bytes == 104857600
    assert settings.object_store_url.startswith("file://")
    assert settings.object_store_url.endswith("/data/objects")
    assert EmbedderSettings.read().embedding_model == "sentence-transformers/all-MiniLM-L6-v2"


def test_an_api_without_tokens_listens_on_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    with pytest.raises(SystemExit, match="AUTH_DISABLED=true"):
        refuse_unprotected(ApiSettings.read())
    monkeypatch.setenv("AUTH_DISABLED", "true")
    refuse_unprotected(ApiSettings.read())
