"""Try every way into a running Stagecast, and say what is wrong."""

import asyncio
import os
import re
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
from cli.failures import CommandFailed
from cli.output import chunks, out, plain
from contracts.queue_repair import repair_sentence
from contracts.statuses import Status
from stagecast_client import Refused, StagecastError

STREAM_SECONDS = 10.0
DOCUMENT_SECONDS = 120.0

DOWN = re.compile(r"queue (stagecast\.\S+) is down")

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
    except StagecastError as failure:
        mark, sentence = Text("FAIL", "red"), str(failure)
    out().print(Text.assemble(mark, f"  {name:<10} {plain(sentence)}"), soft_wrap=True)
    if mark.plain == "FAIL" and (down := DOWN.search(sentence)):
        remedy = repair_sentence(down[1], os.environ.get("RABBITMQ_URL", ""))
        out().print(f"      {plain(remedy)}", soft_wrap=True)
    return mark.plain != "FAIL"


async def _answers(api: Api, path: str) -> str:
    await api.check(path)
    return f"{api.url}{path} answers"


async def _stream_connects(api: Api) -> str:
    try:
        async with asyncio.timeout(STREAM_SECONDS), DocumentTracker(api).listening():
            return "the stream says connected"
    except TimeoutError:
        raise CommandFailed(
            f"No word from the stream in {STREAM_SECONDS:.0f} s: the server hangs, or a proxy holds it back"
        ) from None


async def _webhook_comes_back(api: Api, key: str | None) -> str:
    if key is None:
        raise Skipped("no key: give --key or set INTERNAL_API_KEY")
    document = Document(document_id=f"doctor-{uuid4()}", status=Status.PARSING_STARTED)
    progress = DocumentProgress.of(document, "doctor")
    tracker = DocumentTracker(api)
    try:
        async with asyncio.timeout(STREAM_SECONDS), tracker.listening():
            await tracker.add(progress)
            # A terminal status, so that no document is left waiting if this process dies here.
            await api.notify(key, progress.document_id, Status.EMBEDDED, "stagecast doctor")
            await tracker.until_done()
    except TimeoutError:
        raise CommandFailed(
            f"What was posted there did not come back on the stream in {STREAM_SECONDS:.0f} s"
        ) from None
    finally:
        # Servers need not keep documents that only a webhook told of.
        with suppress(StagecastError):
            await api.delete(progress.document_id)
    return "an event posted there comes back on the stream"


async def _upload_is_found(api: Api, patience: float) -> str:
    sentence = f"The doctor's lantern {secrets.token_hex(8)} hangs above the printing press."
    tracker = DocumentTracker(api)
    progress: DocumentProgress | None = None
    try:
        async with asyncio.timeout(patience), tracker.listening():
            progress = await tracker.add(await _uploaded(api, sentence))
            await tracker.until_done()
        await _is_found(api, progress, sentence)
    except TimeoutError:
        status = progress.status if progress else "not taken"
        raise CommandFailed(f"The document was still {status} after {patience:.0f} s") from None
    finally:
        if progress is not None:
            await _remove(api, progress)
    return f"a document was embedded ({chunks(progress)}), found by search and deleted"


async def _uploaded(api: Api, sentence: str) -> DocumentProgress:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stagecast-doctor.txt"
        file.write_text(f"{sentence}\n")
        uploaded = await api.upload(file, force=False, on_bytes=lambda _: None)
    return DocumentProgress.of(uploaded.document, file.name)


async def _is_found(api: Api, progress: DocumentProgress, sentence: str) -> None:
    if not progress.succeeded:
        raise CommandFailed(f"The document failed: {progress.error} ({progress.code})")
    found = await api.search(sentence, limit=1, documents=[progress.document_id])
    if [item.get("documentId") for item in found] != [progress.document_id]:
        raise CommandFailed("The document is embedded, but search does not find it")


async def _remove(api: Api, progress: DocumentProgress) -> None:
    try:
        await api.delete(progress.document_id)
    except Refused as refusal:
        raise CommandFailed(f"The document can't be deleted: {refusal}") from refusal
