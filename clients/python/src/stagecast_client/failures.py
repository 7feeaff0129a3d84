"""Errors, each with a sentence for people, that say whether they pass."""

import re

import httpx

from stagecast_client.retrying import passes

_PERMANENT = (
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.TooManyRedirects,
)


class StagecastError(Exception):
    """The root of what this package raises; ``str()`` is a sentence for people."""

    passes = False
    """True when the same request may be answered later."""
    retry_after = 0.0
    """Seconds that the server asks to wait before it; 0 where it does not say."""


class Unreachable(StagecastError):
    """No answer came from the server, or it broke off."""

    def __init__(self, url: str, error: Exception) -> None:
        # Without the password that an address may hold: the sentence goes into logs.
        url, reason = re.sub(r"//[^/]*@", "//", url), str(error) or type(error).__name__
        super().__init__(f"No answer from {url}: {reason.rstrip('.')}. Is Stagecast running there?")
        self.passes = not isinstance(error, _PERMANENT)


class Refused(StagecastError):
    """The server answered, but not with what was asked for; ``detail`` is what it said."""

    def __init__(self, status: int, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{detail} (HTTP {status})")
        self.status = status
        self.detail = detail
        self.passes = passes(status)
        self.retry_after = retry_after


class NotDelivered(StagecastError):
    """A report did not arrive, or the server did not take it; ``status`` is None where there was no answer."""

    def __init__(
        self, reason: str, status: int | None = None, passes: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.passes = passes
        self.retry_after = retry_after
