"""Settings of who gets in: wrong ones stop the start, right ones are read as they are meant."""

from base64 import b64encode

import pytest

from services.api.access.access_settings import secret_bytes
from services.api.access.caller import refuse_unprotected
from services.api.api_settings import ApiSettings

LONG = "a-shared-secret-of-thirty-two-bytes!"

WRONG = [
    ({"AUTH_JWKS_URL": "file:///etc/passwd"}, "AUTH_JWKS_URL"),
    ({"AUTH_JWT_SECRET": LONG, "AUTH_JWKS_URL": "https://issuer/keys"}, "exclude each other"),
    ({"INTERNAL_API_KEY": "a=planted-1,a=planted-2,a=planted-3"}, "INTERNAL_API_KEY"),
    ({"INTERNAL_API_KEY": "whsec_planted!"}, "INTERNAL_API_KEY"),
    ({"WEBHOOK_PRODUCER_OWNERS": "acme:alice"}, "WEBHOOK_PRODUCER_OWNERS"),
    ({"WEBHOOK_PRODUCER_OWNERS": '{"acme": ["alice"]}'}, "acme, who has no key"),
    ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
    ({"CORS_ORIGINS": "https://a.example/path"}, "CORS_ORIGINS"),
    ({"ALLOWED_HOSTS": "localhost:3000"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "[::1]:3000"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "api, http://api"}, "ALLOWED_HOSTS"),
    ({"ALLOWED_HOSTS": "*.example.org"}, "ALLOWED_HOSTS"),
    ({"RATE_PER_USER": "many"}, "RATE_PER_USER"),
    ({"RATE_PER_USER": "0/minute"}, "RATE_PER_USER"),
    ({"RATE_STORE_URL": "memcached://host"}, "RATE_STORE_URL"),
]


@pytest.mark.parametrize(("environment", "named"), WRONG)
def test_a_wrong_value_stops_the_start_and_is_not_repeated(
    environment: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        ApiSettings.read()

    said = capsys.readouterr().err
    assert named in said
    assert "planted" not in said


def test_secrets_are_not_in_what_settings_look_like() -> None:
    settings = ApiSettings(
        auth_jwt_secret="planted-" + LONG, internal_api_key="planted", rabbitmq_url="amqp://u:planted@host/"
    )

    assert "planted" not in repr(settings)


def test_a_key_signs_with_its_bytes_or_with_what_follows_whsec() -> None:
    assert secret_bytes("plain=key") == b"plain=key"
    assert secret_bytes("whsec_" + b64encode(b"\x00\xffsecret").decode()) == b"\x00\xffsecret"
    assert secret_bytes("whsec_" + b64encode(b"\x00\xffsecret").decode().rstrip("=")) == b"\x00\xffsecret"


def test_keys_with_padding_and_names_are_told_apart() -> None:
    settings = ApiSettings(internal_api_key="bare, acme=whsec_YQ==, whsec_Yg==, acme=x==")

    assert settings.producer_keys == {"internal": ("bare", "whsec_Yg=="), "acme": ("whsec_YQ==", "x==")}


@pytest.mark.parametrize(
    "settings",
    [
        ApiSettings(),
        ApiSettings(host="0.0.0.0", auth_disabled=True),
        ApiSettings(host="0.0.0.0", auth_jwt_secret=LONG),
    ],
)
def test_a_door_is_open_only_where_that_is_meant(settings: ApiSettings) -> None:
    refuse_unprotected(settings)


def test_an_open_door_to_everybody_stops_the_start() -> None:
    with pytest.raises(SystemExit, match="AUTH_JWT_SECRET"):
        refuse_unprotected(ApiSettings(host="0.0.0.0"))
