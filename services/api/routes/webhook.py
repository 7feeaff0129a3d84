"""``POST /api/v1/events/webhook/document-processing``."""

from typing import Annotated

from fastapi import APIRouter, Header, Request

from services.api.parts import parts_of
from services.api.webhook import MAX_BODY_BYTES, Accepted, authenticate, decode_report

router = APIRouter(prefix="/api/v1", tags=["webhook"])


@router.post("/events/webhook/document-processing", status_code=202)
async def webhook(
    request: Request,
    x_webhook_key: Annotated[str | None, Header()] = None,
    webhook_id: Annotated[str | None, Header(max_length=256)] = None,
) -> Accepted:
    """Take a status event of an external producer."""
    parts = parts_of(request)
    producer = authenticate(x_webhook_key, parts.settings.producer_keys)
    report = decode_report(request.headers.get("content-type", ""), await _bounded_body(request))
    return await parts.webhook.accept(producer, report, webhook_id)


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            break  # decode_report refuses it
    return bytes(body)
