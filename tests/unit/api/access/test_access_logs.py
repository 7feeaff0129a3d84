"""A bug is logged with its place, and without the values that were around."""

import logging
import sys

import pytest
from structlog.stdlib import ProcessorFormatter

from services.runtime.process.logging import _renderers
from services.runtime.process.settings import CommonSettings


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_in_the_log_shows_no_values(log_format: str) -> None:
    formatter = ProcessorFormatter(
        processors=_renderers(CommonSettings.model_validate({"log_format": log_format}))
    )
    key = "".join(["plan", "ted-", "key"])
    try:
        _meet_a_bug(key)
    except RuntimeError:
        record = logging.LogRecord("api", logging.ERROR, __file__, 1, "request_failed", (), sys.exc_info())

    shown = formatter.format(record)

    assert "a bug near a key of 11 characters" in shown
    assert "planted-key" not in shown


def _meet_a_bug(key: str) -> None:
    raise RuntimeError(f"a bug near a key of {len(key)} characters")
