"""What keeps a command from doing its work, each with a sentence for the person at the terminal."""

import math
from typing import Any

import httpx


class CommandFailed(Exception):
    """The command can't go on; ``str()`` is the sentence that says why."""


class Unreachable(CommandFailed):
    """No answer came from the server."""

    def __init__(self, url: str, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        super().__init__(f"No answer from {url}: {reason.rstrip('.')}. Is Stagecast running there?")


class Refused(CommandFailed):
    """The server answered, but not with what was asked for.

    ``retry_after`` is in seconds, none where the server did not say.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{detail} (HTTP {status})")
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    @property
    def passes(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status in {408, 425, 429} or self.status >= 500


async def refuse_errors(response: httpx.Response) -> None:
    """Raise Refused for any answer but 2xx, with the detail of its RFC 9457 body where it has one."""
    if response.is_success:
        return
    await response.aread()
    raise Refused(response.status_code, _detail(response), _retry_after(response))


def _detail(response: httpx.Response) -> str:
    fallback = f"The server answered {response.status_code} {response.reason_phrase}"
    try:
        problem = response.json()
    except ValueError:
        return fallback
    if not isinstance(problem, dict):
        return fallback
    sentence = str(problem.get("detail") or problem.get("title") or fallback)
    fields = problem.get("errors")
    return " ".join([sentence, *map(_field_error, fields)]) if isinstance(fields, list) else sentence


def _field_error(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    where = error.get("pointer") or error.get("field") or error.get("loc") or ""
    where = ".".join(map(str, where)) if isinstance(where, list) else where
    what = error.get("detail") or error.get("message") or error.get("msg") or ""
    return f"[{where}: {what}]"


def _retry_after(response: httpx.Response) -> float | None:
    try:
        seconds = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
