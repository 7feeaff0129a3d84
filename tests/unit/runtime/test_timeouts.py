"""Time-outs lie within each other as docs/timeouts.md says, so that what ends first is what can say why."""

import re
from pathlib import Path

import pytest
import yaml

from contracts.topology import RETRY_SECONDS
from services.api import app, parts
from services.api.__main__ import LAST_REQUESTS_SECONDS
from services.api.api_settings import ApiSettings
from services.api.documents.uploads import DATABASE_SECONDS
from services.api.search.query_embedder import ANSWER_SECONDS
from services.api.stream.hub import DRAIN_SECONDS, GOODBYE_SECONDS, STALL_SECONDS
from services.api.stream.subscriber import COMMENT_SECONDS
from services.lifecycle.attempt_watch import LOOK_SECONDS
from services.parser.parser_settings import ParserSettings
from services.parser.sandbox import FURTHER_SECONDS
from services.runtime.messaging import broker_watch
from services.runtime.messaging.connection import CONNECT_SECONDS, HEARTBEAT_SECONDS
from services.runtime.messaging.publisher import CONFIRM_SECONDS, PATIENCE_SECONDS
from services.runtime.process.background import AGAIN_SECONDS
from services.runtime.process.health import CHECK_SECONDS, CONNECTED_SECONDS

ROOT = Path(__file__).parents[3]
API = ApiSettings.model_construct()
PARSER = ParserSettings.model_construct()
PROBE_SECONDS = float(re.findall(r"timeout=(\d+)\)", (ROOT / "Dockerfile").read_text())[0])
HEALTHCHECK_SECONDS = float(re.findall(r"--timeout=(\d+)s", (ROOT / "Dockerfile").read_text())[0])


@pytest.mark.parametrize(
    "ascending",
    [
        pytest.param(
            (CONFIRM_SECONDS, parts.PATIENCE_SECONDS, API.request_seconds), id="a publish of the API"
        ),
        pytest.param((CONFIRM_SECONDS, PATIENCE_SECONDS, API.shutdown_seconds), id="a publish of a worker"),
        pytest.param(
            (CONNECT_SECONDS, 3 * HEARTBEAT_SECONDS, app.START_SECONDS), id="a connection to the broker"
        ),
        pytest.param(
            (broker_watch.PATIENCE_SECONDS, broker_watch.LONGEST_PATIENCE_SECONDS, CONFIRM_SECONDS),
            id="whether work is taken",
        ),
        pytest.param((DATABASE_SECONDS, ANSWER_SECONDS, API.request_seconds), id="a request"),
        pytest.param((COMMENT_SECONDS, STALL_SECONDS), id="a stream"),
        pytest.param((DRAIN_SECONDS, GOODBYE_SECONDS, LAST_REQUESTS_SECONDS), id="the end of the streams"),
        pytest.param(
            (LAST_REQUESTS_SECONDS + AGAIN_SECONDS + API.shutdown_seconds, API.stop_seconds),
            id="the end of a process",
        ),
        pytest.param(
            (PATIENCE_SECONDS, API.grace_seconds, max(RETRY_SECONDS), API.silence_seconds), id="recovery"
        ),
        pytest.param((PARSER.parse_timeout_seconds, API.silence_seconds), id="a slow document"),
        pytest.param(
            (
                PARSER.parse_stand_in_seconds,
                PARSER.parse_stand_in_seconds + FURTHER_SECONDS,
                PARSER.parse_stall_seconds,
                PARSER.parse_timeout_seconds,
            ),
            id="a page",
        ),
        pytest.param((LOOK_SECONDS, 1), id="work that nobody wants any more"),
        pytest.param((CONNECTED_SECONDS, CHECK_SECONDS, PROBE_SECONDS, HEALTHCHECK_SECONDS), id="health"),
    ],
)
def test_what_waits_for_another_waits_for_longer(ascending: tuple[float, ...]) -> None:
    assert list(ascending) == sorted(ascending)


def test_a_container_may_take_as_long_to_stop_as_its_process() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    graces = {name: service["stop_grace_period"] for name, service in services.items()}
    assert {
        name for name, grace in graces.items() if float(grace.removesuffix("s")) < API.stop_seconds
    } == set()
