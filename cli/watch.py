"""Print the live stream."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime

from rich.text import Text

from cli.api import Api
from cli.document_progress import progress
from cli.document_tracker import status_event
from cli.event_stream import Event, EventStream
from cli.failures import CommandFailed
from cli.output import at_terminal, err, json_line, out, plain, print_error, status_text
from contracts.events import StatusEvent
from contracts.statuses import Status


async def watch(api: Api, documents: Sequence[str]) -> int:
    """Print events until somebody stops it; ``documents`` limits it to some."""
    tell = _sentences() if at_terminal() else _line
    stream = EventStream(api, documents, _lost if at_terminal() else lambda _, __: None)
    async with aclosing(stream.__aiter__()) as notices:
        async for notice in notices:
            tell(notice)
    return 0


def _lost(seconds: float, failure: CommandFailed | None) -> None:
    reason = f" ({plain(str(failure))})" if failure is not None else ""
    err().print(Text(f"The stream was cut; trying again in {seconds:.0f} s{reason}", "dim"))


def _line(notice: Event) -> None:
    if notice.kind.startswith("document_"):
        json_line(notice.data)
    elif notice.kind == "reset":
        print_error(f"Events may be missing: {notice.data.get('reason')}")


def _sentences() -> Callable[[Event], None]:
    console = out()

    def tell(notice: Event) -> None:
        sentence = _sentence(notice)
        if sentence is not None:
            console.print(sentence)

    return tell


def _sentence(notice: Event) -> Text | None:
    if notice.kind == "connected":
        return Text("connected", "dim")
    if notice.kind == "reset":
        return Text(f"events may be missing: {plain(str(notice.data.get('reason')))}", "yellow")
    if notice.kind == "document_deleted":
        return Text.assemble(
            (_clock(None), "dim"), "  deleted          ", plain(str(notice.data.get("documentId")))
        )
    event = status_event(notice) if notice.kind == "document_processing" else None
    return None if event is None else _event_sentence(event)


def _event_sentence(event: StatusEvent) -> Text:
    name = str(event.metadata.get("filename") or event.document_id)
    status = status_text(event.status)
    status.pad_right(max(0, 17 - len(status.plain)))
    failed = event.status is Status.FAILED
    told = str(event.metadata.get("error") or event.message) if failed else _counts(event) or event.message
    code = f" ({event.metadata['code']})" if failed and event.metadata.get("code") else ""
    clock = (_clock(event.timestamp), "dim")
    return Text.assemble(clock, "  ", status, (plain(name), "bold"), f"  {plain(told)}{plain(code)}")


def _counts(event: StatusEvent) -> str:
    done, total = progress(event)
    unit = "pages" if event.status is Status.PARSING else "chunks"
    return f"{done}/{total} {unit}" if total else ""


def _clock(moment: datetime | None) -> str:
    return (moment or datetime.now().astimezone()).astimezone().strftime("%H:%M:%S")
