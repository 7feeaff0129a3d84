"""Report a status to the webhook, as an external producer does."""

import re
from typing import Any

from rich.text import Text

from cli.api import Api
from cli.failures import CommandFailed
from cli.output import at_terminal, json_line, out, plain
from contracts.statuses import Status


async def notify(
    api: Api, key: str | None, document_id: str, status: Status, message: str, metadata: dict[str, Any] | None
) -> int:
    """Report the status and print the event's id; raises CommandFailed without a key."""
    if key is None:
        raise CommandFailed("The webhook needs a key: give --key or set INTERNAL_API_KEY")
    event_id = await api.notify(key, document_id, status, message, metadata)
    if at_terminal():
        out().print(Text(f"accepted as event {plain(str(event_id))}"))
    else:
        json_line({"accepted": True, "eventId": event_id})
    return 0


def first_key(text: str) -> str | None:
    """Return the first key of an INTERNAL_API_KEY: ``name=key,name=key`` or bare keys.

    A bare key may itself hold ``=``, as base64 does at its end.
    """
    entry = next(filter(None, (part.strip() for part in text.split(","))), None)
    if entry is None:
        return None
    name, _, key = entry.partition("=")
    return key if key.strip("=") and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) else entry
