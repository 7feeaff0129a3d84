"""Upload files and follow each through its stages."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.api import Api
from cli.document import Uploaded
from cli.document_progress import DocumentProgress
from cli.document_tracker import DocumentTracker
from cli.failures import CommandFailed
from cli.report import Report
from stagecast_client import StagecastError

UPLOADS_AT_ONCE = 4


async def upload(api: Api, paths: Sequence[Path], force: bool, wait: bool, report: Report) -> int:
    """Upload files, and those that are in folders; the exit status is 1 when any was refused or failed."""
    files = [file for path in paths for file in _files_in(path)]
    if not files:
        raise CommandFailed("There is no file in " + ", ".join(map(str, paths)))
    slots = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def send(file: Path) -> Uploaded | None:
        async with slots:
            return await _send(api, file, force, report)

    if not wait:
        answers = await asyncio.gather(*map(send, files))
        return int(not all(answers))
    # Opened before the first upload, so that no event can be missed.
    tracker = DocumentTracker(api, report.moved, report.lost)
    async with tracker.listening():

        async def send_and_follow(file: Path) -> bool:
            uploaded = await send(file)
            return uploaded is not None and await _is_followed_to_success(tracker, file, uploaded, report)

        succeeded = await asyncio.gather(*map(send_and_follow, files))
    return int(not all(succeeded))


def _files_in(path: Path) -> Iterator[Path]:
    """What is hidden in a folder is the system's own, and not meant."""
    if not path.is_dir():
        yield path
        return
    for inside in sorted(path.iterdir()):
        if not inside.name.startswith("."):
            yield from _files_in(inside)


async def _is_followed_to_success(
    tracker: DocumentTracker, file: Path, uploaded: Uploaded, report: Report
) -> bool:
    progress = DocumentProgress.of(uploaded.document, file.name)
    if not progress.is_done:
        progress = await tracker.add(progress)
        await tracker.until_done(progress)
    report.ended(progress)
    return progress.succeeded


async def _send(api: Api, file: Path, force: bool, report: Report) -> Uploaded | None:
    try:
        size = _size(file)
        uploaded = await api.upload(file, force, report.sending(file, size))
    except StagecastError as failure:
        report.refused(file, failure)
        return None
    except OSError as error:
        report.refused(file, CommandFailed(f"{file} can't be read: {error.strerror or error}"))
        return None
    report.taken(file, uploaded)
    return uploaded


def _size(file: Path) -> int:
    if not file.exists():
        raise CommandFailed(f"There is no file {file}")
    if not file.is_file():
        raise CommandFailed(f"{file} is not a file")
    return file.stat().st_size
