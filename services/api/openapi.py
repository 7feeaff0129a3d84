"""OpenAPI as the API is: errors are problems, files and reports have bodies, callers know what to show."""

from typing import Any

from fastapi import FastAPI

from contracts.stream_events import stream_events_schema
from services.api.access.caller import COOKIE
from services.api.webhook.reports import ReportedStatus

_COMPONENT = "#/components/schemas/{model}"
_METHODS = ("get", "post", "delete")

PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457; `errors` name the fields that are wrong.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_ANY_PROBLEM = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": _COMPONENT.format(model="Problem")}}},
}
_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "webhookKey": {"type": "apiKey", "in": "header", "name": "X-Webhook-Key"},
}
WEBHOOK_SECURITY: dict[str, Any] = {"security": [{"webhookKey": []}]}

FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
REPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _COMPONENT.format(model="ReportedStatus")}}},
    }
}


EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-Sent Events: of each the data, by its name",
        "content": {"text/event-stream": {"schema": {"$ref": _COMPONENT.format(model="StreamEvents")}}},
    }
}


_BYTES: dict[str, Any] = {"application/octet-stream": {}}
ORIGINAL: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file", "content": _BYTES},
    206: {
        "description": "The range that was asked for; several as `multipart/byteranges`",
        "content": _BYTES,
    },
    304: {"description": "What the caller has already"},
}


class Api(FastAPI):
    """FastAPI describes errors that are never answered here, and nothing of what routes read themselves."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _corrected(super().openapi())
        return self.openapi_schema


def _corrected(description: dict[str, Any]) -> dict[str, Any]:
    components = description.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    schemas = components.setdefault("schemas", {})
    for never in ("HTTPValidationError", "ValidationError"):
        schemas.pop(never, None)
    report = ReportedStatus.model_json_schema(by_alias=True, ref_template=_COMPONENT)
    schemas |= report.pop("$defs", {}) | {"ReportedStatus": report, "Problem": PROBLEM}
    stream = stream_events_schema(_COMPONENT)
    del stream["$schema"]
    schemas |= {name: schema for name, schema in stream.pop("$defs").items() if name not in schemas}
    schemas["StreamEvents"] = stream
    for path in description["paths"].values():
        for method in _METHODS:
            if operation := path.get(method):
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = _ANY_PROBLEM
                operation.setdefault("security", [{"token": []}, {"cookie": []}, {}])
    return description
