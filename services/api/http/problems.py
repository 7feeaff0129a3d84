"""Errors as RFC 9457 ``application/problem+json``, from every route, 404 and 405 included."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.api.http.methods import allowed_methods
from services.runtime.errors import Unavailable, is_transient
from services.runtime.process.logging import get_logger
from services.runtime.process.problem_details import PROBLEM_TYPE, problem_document

RETRY_AFTER_SECONDS = 5

log = get_logger(__name__)


class Problem(Exception):
    """An answer that is no success; ``detail`` is a sentence for people, ``errors`` name fields."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        """The problem as a response."""
        body: dict[str, Any] = dict(problem_document(self.status, self.detail))
        if self.errors is not None:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, self.headers, media_type=PROBLEM_TYPE)


def unavailable(reason: str, *, retry_after: int = RETRY_AFTER_SECONDS) -> Problem:
    """503 with ``Retry-After``."""
    return Problem(503, reason, headers={"Retry-After": str(retry_after)})


def field_errors(errors: list[Any]) -> list[dict[str, str]]:
    """Pydantic's errors as ``field`` (a dotted path) and ``message``, without the values that were sent."""
    return [
        {"field": ".".join(str(part) for part in error["loc"]), "message": str(error["msg"])}
        for error in errors
    ]


def problem_of(error: Exception) -> Problem:
    """What an error is to the caller; what is a bug is logged, and nothing of it is told."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            errors = field_errors(list(error.errors()))
            return Problem(422, "The request does not fit the schema.", errors=errors)
        case HTTPException():
            headers = dict(error.headers) if error.headers else None
            return Problem(error.status_code, str(error.detail), headers=headers)
        case ClientDisconnect():
            return Problem(400, "The request was cut off.")  # which nobody reads
        case Unavailable():
            return unavailable(f"The {error.dependency} does not answer; try again soon.")
    if is_transient(error):
        log.warning("a dependency is away", reason=type(error).__name__)
        return unavailable("A part of the system does not answer; try again soon.")
    log.exception("a request met a bug", exc_info=error)
    return Problem(500, "Something went wrong here; it was logged.")


def install_problems(app: FastAPI) -> None:
    """Answer expected errors with a problem; all others reach the envelope, which does the same."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            problem.headers = {"Allow": ", ".join(allowed_methods(request))}
        return problem.response()

    for kind in (Problem, RequestValidationError, HTTPException, Unavailable):
        app.add_exception_handler(kind, answer)
