"""Print the live stream."""

import math
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime

from rich.text import Text

from cli.api import Api
from cli.document_progress import stage_counts
from cli.document_tracker import status_event
from cli.output import at_terminal, err, json_line, out, plain, print_error, status_text
from contracts.events import StatusEvent
from contracts.statuses import Status
from stagecast_client import Event, StagecastError


async def watch(api: Api, documents: Sequence[str]) -> int:
    """Print events until somebody stops it; ``documents`` limits it to some."""
    for_people = at_terminal()
    stream = api.events(documents, _lost if for_people else lambda _, __: None)
    async with aclosing(stream.__aiter__()) as events:
        async for event in events:
            (_print_sentence if for_people else _print_line)(event)
    return 0


def _lost(seconds: float, failure: StagecastError | None) -> None:
    reason = f" ({plain(str(failure))})" if failure is not None else ""
    err().print(Text(f"The stream was cut; trying again in {math.ceil(seconds)} s{reason}", "dim"))


def _print_line(event: Event) -> None:
    if event.kind.startswith("document_"):
        json_line(event.data)
    elif event.kind == "reset":
        print_error(f"Events may be missing: {event.data.get('reason')}")


def _print_sentence(event: Event) -> None:
    sentence = _sentence(event)
    if sentence is not None:
        out().print(sentence)


def _sentence(event: Event) -> Text | None:
    if event.kind == "connected":
        return Text("connected", "dim")
    if event.kind == "reset":
        return Text(f"events may be missing: {plain(str(event.data.get('reason')))}", "yellow")
    if event.kind == "document_deleted":
        return Text.assemble(
            (_clock(None), "dim"), "  deleted          ", plain(str(event.data.get("documentId")))
        )
    status = status_event(event) if event.kind == "document_processing" else None
    return None if status is None else _status_sentence(status)


def _status_sentence(event: StatusEvent) -> Text:
    name = str(event.metadata.get("filename") or event.document_id)
    status = status_text(event.status)
    status.pad_right(max(0, 17 - len(status.plain)))
    failed = event.status is Status.FAILED
    message = str(event.metadata.get("error") or event.message) if failed else _counts(event) or event.message
    code = f" ({event.metadata['code']})" if failed and event.metadata.get("code") else ""
    clock = (_clock(event.timestamp), "dim")
    return Text.assemble(clock, "  ", status, (plain(name), "bold"), f"  {plain(message)}{plain(code)}")


def _counts(event: StatusEvent) -> str:
    done, total = stage_counts(event)
    unit = "pages" if event.status is Status.PARSING else "chunks"
    return f"{done}/{total} {unit}" if total else ""


def _clock(moment: datetime | None) -> str:
    return (moment or datetime.now().astimezone()).astimezone().strftime("%H:%M:%S")
