"""``POST /api/v1/events/webhook/document-processing``."""

import re

from fastapi import APIRouter, Request

from services.api.http.body import bounded_body, refuse_declared
from services.api.http.rates import PRODUCER
from services.api.openapi import REPORT_BODY, WEBHOOK_SECURITY
from services.api.refusals import Invalid
from services.api.routes.dependencies import ProducersDep, RatesDep, WebhookDep
from services.api.webhook.reports import MAX_BODY_BYTES, Accepted, decode_report

_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,256}")

router = APIRouter(prefix="/api/v1", tags=["webhook"])


@router.post(
    "/events/webhook/document-processing", status_code=202, openapi_extra=REPORT_BODY | WEBHOOK_SECURITY
)
async def webhook(
    request: Request, producers: ProducersDep, rates: RatesDep, reports: WebhookDep
) -> Accepted:
    """Take a status event of an external producer, who shows a key or a Standard Webhooks signature."""
    # In this order: what is cheap to refuse first, and nothing of the body is looked at before we know whose it is.
    refuse_declared(request, MAX_BODY_BYTES)
    producer = producers.by_key(request.headers)
    body = await bounded_body(request, MAX_BODY_BYTES)
    producer = producer or producers.by_signature(request.headers, body)
    await rates.count(request.scope, PRODUCER, producer.name)
    report = decode_report(request.headers.get("content-type", ""), body)
    return await reports.accept(producer, report, _message_id(request))


def _message_id(request: Request) -> str | None:
    message_id = request.headers.get("webhook-id")
    if message_id is not None and not _MESSAGE_ID.fullmatch(message_id):
        errors = [{"field": "webhook-id", "message": "1 to 256 visible ASCII characters"}]
        raise Invalid("The webhook-id can't be used.", errors=errors)
    return message_id
