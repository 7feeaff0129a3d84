"""Errors as RFC 9457 ``application/problem+json``, from every route, 404 and 405 included."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from obstore.exceptions import BaseError as ObjectStoreError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.api.http.methods import allowed_methods
from services.api.refusals import FieldError, Full, Invalid, Malformed, Refused, Unready
from services.runtime.errors import NoRoom, Unavailable, is_transient
from services.runtime.messaging.acknowledgement import describe
from services.runtime.process.logging import get_logger
from services.runtime.process.problem_details import PROBLEM_TYPE, problem_document

OBJECTS_AWAY = "The store of the documents' bytes can't be used now; try again soon."

log = get_logger(__name__)


def answer_to(error: Exception) -> JSONResponse:
    """Return the answer to an error; a bug is logged, and its caller is told nothing of it."""
    match error:
        case Refused():
            return _answer_to_refused(error)
        case RequestValidationError():
            return _answer_to_refused(Invalid(errors=field_errors(error.errors())))
        case HTTPException():
            return _problem(error.status_code, str(error.detail), error.headers)
        case ClientDisconnect():
            return _answer_to_refused(Malformed("The request was cut off."))  # which nobody reads
        case NoRoom():
            return _answer_to_refused(Full())
        case Unavailable():
            log.warning("dependency_unavailable", reason=str(error))
            return _answer_to_refused(Unready(f"{error.told}; try again soon."))
    if is_transient(error):
        log.warning("dependency_unavailable", reason=describe(error))
        is_of_objects = isinstance(error, ObjectStoreError)
        return _answer_to_refused(Unready(OBJECTS_AWAY if is_of_objects else None))
    log.exception("request_failed", exc_info=error)
    return _problem(500, "Something went wrong here; it was logged.")


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Return pydantic's errors as ``field`` and ``message``, without the values that were sent."""
    return [
        {"field": ".".join(str(part) for part in error["loc"]), "message": str(error["msg"])}
        for error in errors
    ]


def install_problems(app: FastAPI) -> None:
    """Answer expected errors with a problem; all others reach the middleware, which does the same."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        problem = answer_to(error)
        if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            problem.headers["Allow"] = ", ".join(allowed_methods(request))
        return problem

    for kind in (Refused, RequestValidationError, HTTPException, NoRoom, Unavailable):
        app.add_exception_handler(kind, answer)


def _answer_to_refused(refused: Refused) -> JSONResponse:
    headers = dict(refused.headers)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    return _problem(refused.status, refused.detail, headers, refused.errors)


def _problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldError] | None = None,
) -> JSONResponse:
    named = {} if errors is None else {"errors": errors}
    return JSONResponse(problem_document(status, detail) | named, status, headers, media_type=PROBLEM_TYPE)
