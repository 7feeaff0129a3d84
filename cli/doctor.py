"""Try every way into a running Stagecast, and say what is wrong."""

import asyncio
import secrets
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from rich.text import Text

from cli.api import Api
from cli.document import Document
from cli.document_progress import DocumentProgress
from cli.document_tracker import DocumentTracker
from cli.event_stream import EventStream
from cli.failures import CommandFailed, Refused
from cli.output import chunks, out, plain
from contracts.statuses import Status

STREAM_SECONDS = 10.0
DOCUMENT_SECONDS = 120.0

Check = Callable[[], Awaitable[str]]


class Skipped(Exception):
    """A check that can't be made; ``str()`` is the reason."""


async def doctor(api: Api, key: str | None, patience: float = DOCUMENT_SECONDS) -> int:
    """Print one line for each check; return 1 when one failed. ``patience`` is in seconds, for the upload."""
    checks: list[tuple[str, Check]] = [
        ("health", lambda: _answers(api, "/healthz")),
        ("readiness", lambda: _answers(api, "/readyz")),
        ("events", lambda: _stream_connects(api)),
        ("webhook", lambda: _webhook_comes_back(api, key)),
        ("upload", lambda: _upload_is_found(api, patience)),
    ]
    results = [await _verdict(name, check) for name, check in checks]
    return int(not all(results))


async def _verdict(name: str, check: Check) -> bool:
    try:
        mark, sentence = Text("ok  ", "green"), await check()
    except Skipped as reason:
        mark, sentence = Text("skip", "yellow"), str(reason)
    except CommandFailed as failure:
        mark, sentence = Text("FAIL", "red"), str(failure)
    out().print(Text.assemble(mark, f"  {name:<10} {plain(sentence)}"), soft_wrap=True)
    return mark.plain != "FAIL"


async def _answers(api: Api, path: str) -> str:
    await api.check(path)
    return f"{api.url}{path} answers"


async def _stream_connects(api: Api) -> str:
    try:
        async with asyncio.timeout(STREAM_SECONDS), DocumentTracker(api, EventStream(api)).listening():
            return "the stream says connected"
    except TimeoutError:
        raise CommandFailed(
            f"No word from the stream in {STREAM_SECONDS:.0f} s: the server hangs, or a proxy holds it back"
        ) from None


async def _webhook_comes_back(api: Api, key: str | None) -> str:
    if key is None:
        raise Skipped("no key: give --key or set INTERNAL_API_KEY")
    document = Document(document_id=f"doctor-{uuid4()}", status=Status.PARSING_STARTED)
    journey = DocumentProgress.of(document, "doctor")
    following = DocumentTracker(api, EventStream(api))
    try:
        async with asyncio.timeout(STREAM_SECONDS), following.listening():
            await following.add(journey)
            # A terminal status, so that no document is left waiting if this process dies here.
            event = {
                "documentId": journey.document_id,
                "status": Status.EMBEDDED,
                "message": "stagecast doctor",
            }
            await api.notify(key, event)
            await following.until_done()
    except TimeoutError:
        raise CommandFailed(
            f"What was posted there did not come back on the stream in {STREAM_SECONDS:.0f} s"
        ) from None
    finally:
        # Servers need not keep documents that only a webhook told of.
        with suppress(CommandFailed):
            await api.delete(journey.document_id)
    return "an event posted there comes back on the stream"


async def _upload_is_found(api: Api, patience: float) -> str:
    sentence = f"The doctor's lantern {secrets.token_hex(8)} hangs above the printing press."
    following = DocumentTracker(api, EventStream(api))
    journey: DocumentProgress | None = None
    try:
        async with asyncio.timeout(patience), following.listening():
            journey = await following.add(await _uploaded(api, sentence))
            await following.until_done()
        await _is_found(api, journey, sentence)
    except TimeoutError:
        status = journey.status if journey else "not taken"
        raise CommandFailed(f"The document was still {status} after {patience:.0f} s") from None
    finally:
        if journey is not None:
            await _remove(api, journey)
    return f"a document was embedded ({chunks(journey)}), found by search and deleted"


async def _uploaded(api: Api, sentence: str) -> DocumentProgress:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stagecast-doctor.txt"
        file.write_text(f"{sentence}\n")
        uploaded = await api.upload(file, force=False, on_bytes=lambda _: None)
    return DocumentProgress.of(uploaded.document, file.name)


async def _is_found(api: Api, journey: DocumentProgress, sentence: str) -> None:
    if not journey.succeeded:
        raise CommandFailed(f"The document failed: {journey.error} ({journey.code})")
    found = await api.search(sentence, limit=1, documents=[journey.document_id])
    if [item.get("documentId") for item in found] != [journey.document_id]:
        raise CommandFailed("The document is embedded, but search does not find it")


async def _remove(api: Api, journey: DocumentProgress) -> None:
    try:
        await api.delete(journey.document_id)
    except Refused as refusal:
        raise CommandFailed(f"The document can't be deleted: {refusal}") from refusal
