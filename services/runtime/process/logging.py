"""Logs: JSON lines, or colours at a terminal; each line carries what is bound to its context."""

import asyncio
import logging
import sys

import structlog
from structlog.stdlib import BoundLogger
from structlog.types import Processor

from services.runtime.process.settings import CommonSettings

_THIRD_PARTY_WARNINGS_ONLY = (
    "aio_pika",
    "aiormq",
    "alembic",
    "httpx",
    "sentence_transformers",
    "uvicorn.access",
)

_SIGNS_OF_LOSS = ("ChannelInvalidStateError", "error: RuntimeError: <Connection")
"""In lines of aio-pika: what it says of a channel, and of a connection, that was closed already."""


def configure_logging(settings: CommonSettings, service: str) -> None:
    """Route structlog and the standard library's logging to one renderer on standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(settings))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _THIRD_PARTY_WARNINGS_ONLY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs each attempt to reach a broker that is away as an error; who tries says so, as what it is.
    logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL)
    _route_faststream()
    logging.getLogger("aio_pika.tools").addFilter(_is_no_lost_connection)
    structlog.contextvars.bind_contextvars(service=service)


def _route_faststream() -> None:
    """Have it write lines like all others, which it does to a handler of its own, in another form."""
    faststream = logging.getLogger("faststream")
    faststream.handlers.clear()
    faststream.propagate = True
    faststream.addFilter(_is_no_lost_connection)


def _is_no_lost_connection(record: logging.LogRecord) -> bool:
    """Return whether a record tells of anything else than what a lost connection to the broker took with it.

    Libraries log as an error that a delivery in hand was cancelled, which the broker delivers again, and that a
    channel of it can't be closed any more.
    """
    is_cancellation = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return not is_cancellation and not any(sign in record.getMessage() for sign in _SIGNS_OF_LOSS)


def _renderers(settings: CommonSettings) -> list[Processor]:
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_json:
        return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Rich would print the values of local variables with a traceback, and secrets are among them.
    return [strip, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def get_logger(name: str) -> BoundLogger:
    """The logger of a module; fields are given as keywords."""
    return structlog.stdlib.get_logger(name)
