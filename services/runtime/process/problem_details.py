"""The body of an answer that is no success: RFC 9457, ``application/problem+json``."""

from http import HTTPStatus

PROBLEM_TYPE = "application/problem+json"


def problem_document(status: int, detail: str) -> dict[str, str | int]:
    """A problem's body: the status speaks for itself, ``detail`` is a sentence for people."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
