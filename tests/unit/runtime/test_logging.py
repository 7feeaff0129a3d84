"""What a lost connection takes with it is no error in the log, and every line has one form."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from faststream.rabbit import RabbitBroker  # which gives its logger a handler

from services.runtime.process.logging import configure_logging
from services.runtime.process.settings import CommonSettings

assert RabbitBroker.__name__


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    names = (None, "faststream", "aio_pika.tools")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers[:], one.filters[:], one.propagate, one.level) for one in loggers]
    yield
    for one, (handlers, filters, propagate, level) in zip(loggers, before, strict=True):
        one.handlers[:], one.filters[:], one.propagate = handlers, filters, propagate
        one.setLevel(level)
    structlog.contextvars.clear_contextvars()


def test_a_delivery_that_a_lost_connection_cancels_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(CommonSettings(log_format="json"), "parser")
    lost = asyncio.CancelledError("Server connection reset")
    logging.getLogger("faststream").error("CancelledError: Server connection reset", exc_info=lost)
    for callback in (
        ("close", "ChannelInvalidStateError", "No active transport in channel"),
        ("close", "RuntimeError", '<Connection: "amqp://there/"> closed'),
    ):
        logging.getLogger("aio_pika.tools").error("Callback %r error: %s: %s", *callback)
    assert capfd.readouterr().err == ""


def test_a_bug_that_the_library_tells_of_is_a_line_like_all_others(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging(CommonSettings(log_format="json"), "parser")
    logging.getLogger("faststream").error("KeyError: 'x'", exc_info=KeyError("x"))
    line = json.loads(capfd.readouterr().err)
    assert (line["level"], line["service"]) == ("error", "parser")
    assert "KeyError" in line["exception"]
