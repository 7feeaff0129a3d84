"""What a private broker says of our queues, asked by the one who keeps it."""

import asyncio
import urllib.request
from base64 import b64encode

from contracts import topology
from services.runtime.errors import BROKER_ERRORS
from services.runtime.messaging.connection import broker_connection
from services.runtime.messaging.queue_state import QueueState, queue_state

SECONDS = 2.0

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy set for the machine must not be asked for our own node."""


def lost_queue(rabbitmq_url: str, management_url: str) -> str | None:
    """Return the first of our queues that is down, or "" where none is; None where nothing can be said.

    So it is when the broker does not answer, or is in alarm and may be slow for that. Waits for three seconds at
    most, if the broker opens channels at all.
    """
    found = asyncio.run(_first_down(rabbitmq_url))
    return found if not found or _has_no_alarm(management_url) else None


async def _first_down(rabbitmq_url: str) -> str | None:
    try:
        async with broker_connection(rabbitmq_url, SECONDS) as connection:
            for queue in topology.queues():
                match await queue_state(connection, queue):
                    case QueueState.DOWN:
                        return queue.name
                    case QueueState.NOT_CONNECTED:
                        return None
                    case (
                        QueueState.MISSING
                    ):  # the services declare it, if nothing before it in the list is down
                        return ""
    except (*BROKER_ERRORS, RuntimeError):
        return None
    return ""


def _has_no_alarm(management_url: str) -> bool:
    credentials = b64encode(b"guest:guest").decode()
    request = urllib.request.Request(  # noqa: S310 - http
        f"{management_url}api/health/checks/alarms", headers={"Authorization": f"Basic {credentials}"}
    )
    try:
        with _DIRECT.open(request, timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:  # 503 in alarm
        return False
