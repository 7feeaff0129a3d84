"""Errors as RFC 9457 ``application/problem+json``, from every route, 404 and 405 included."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.runtime.availability import Unavailable, is_transient
from services.runtime.logs import get_logger

RETRY_AFTER_SECONDS = 5

log = get_logger(__name__)


class Problem(Exception):
    """An answer that is no success; ``detail`` is a sentence for people, ``errors`` name fields."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "about:blank",
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        """The problem as a response."""
        body: dict[str, Any] = {
            "type": self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors is not None:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


def unavailable(reason: str, *, retry_after: int = RETRY_AFTER_SECONDS) -> Problem:
    """503 with ``Retry-After``."""
    return Problem(503, reason, headers={"Retry-After": str(retry_after)})


def field_errors(errors: list[Any]) -> list[dict[str, str]]:
    """Pydantic's errors as ``field`` (a dotted path) and ``message``, without the values that were sent."""
    return [
        {"field": ".".join(str(part) for part in error["loc"]), "message": str(error["msg"])}
        for error in errors
    ]


def install_problems(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = field_errors(list(error.errors()))
        return Problem(422, "The request does not fit the schema.", errors=errors).response()

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return Problem(error.status_code, str(error.detail), headers=headers).response()

    @app.exception_handler(Unavailable)
    async def on_unavailable(_: Request, error: Unavailable) -> JSONResponse:
        return unavailable(f"The {error.dependency} does not answer; try again soon.").response()

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> JSONResponse:
        if is_transient(error):
            log.warning("a dependency is away", reason=type(error).__name__)
            return unavailable("A part of the system does not answer; try again soon.").response()
        return Problem(500, "Something went wrong here; it was logged.").response()
