"""Answers of the server as values and errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from stagecast_client.failures import Refused, Unreachable
from stagecast_client.retrying import retry_after


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn whatever keeps an answer from coming into Unreachable."""
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise Unreachable(url, error) from error


def refusal(response: httpx.Response) -> Refused:
    """Return the error for an answer that was read, with the detail of its RFC 9457 body where it has one."""
    return Refused(response.status_code, _detail(response), retry_after(response.headers))


def json_object(response: httpx.Response) -> dict[str, Any]:
    """Return the body; empty for one that is no JSON object."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _detail(response: httpx.Response) -> str:
    problem = json_object(response)
    fallback = f"The server answered {response.status_code} {response.reason_phrase}"
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
