"""Show uploads: bars for people, JSON lines for programs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from rich.box import SIMPLE
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.document import Uploaded
from cli.document_progress import DocumentProgress
from cli.output import STYLES, at_terminal, err, final_line, json_line, out, plain, print_error
from contracts.statuses import Status
from stagecast_client import Refused, StagecastError


class Report:
    """A listener to what happens to uploads, which does nothing; a context manager, for the time of the uploads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def sending(self, file: Path, size: int) -> Callable[[int], None]:
        """Hear that a file of ``size`` bytes begins to go out; the result hears of each part."""
        return lambda count: None

    def refused(self, file: Path, failure: StagecastError) -> None:
        """Hear that a file was not taken."""

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """Hear that a file was taken, or was there already."""

    def moved(self, progress: DocumentProgress, event: dict[str, Any]) -> None:
        """Hear that a document came further, as ``event`` tells."""

    def ended(self, progress: DocumentProgress) -> None:
        """Hear that a document is done, whether it was just now or before."""

    def lost(self, seconds: float, failure: StagecastError | None) -> None:
        """Hear that the stream was cut and will be tried again after ``seconds``."""


def report() -> Report:
    """Pick the report that suits who reads."""
    return Bars() if at_terminal() else Lines()


class Lines(Report):
    """JSON lines: one for each upload's answer, one for each status event as it was received."""

    def refused(self, file: Path, failure: StagecastError) -> None:
        """Write the problem, to the errors as well."""
        status = failure.status if isinstance(failure, Refused) else None
        detail = failure.detail if isinstance(failure, Refused) else str(failure)
        json_line({"upload": str(file), "accepted": False, "httpStatus": status, "detail": detail})
        print_error(f"{file}: {failure}")

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """Write the answer."""
        line = {"upload": str(file), "accepted": True, "already": uploaded.already}
        json_line({**line, "document": uploaded.answer})

    def moved(self, progress: DocumentProgress, event: dict[str, Any]) -> None:
        """Write the event."""
        json_line(event)

    def ended(self, progress: DocumentProgress) -> None:
        """Say what failed beside the lines, to whoever reads the errors."""
        if not progress.succeeded:
            print_error(final_line(progress).plain)


class Bars(Report):
    """A bar for each document: bytes while it goes out, then pages, then chunks."""

    def __init__(self) -> None:
        self._display = Progress(
            _Name(""),
            BarColumn(bar_width=24),
            _Stage(""),
            TimeElapsedColumn(),
            console=out(),
        )
        self._bars: dict[str, TaskID] = {}
        self._done = 0
        self._failures: list[tuple[str, str, str]] = []
        """Of each its name, its code and a sentence."""

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()
        if self._done + len(self._failures) > 1:
            self._sum_up()

    def _sum_up(self) -> None:
        """After many files their lines are far up, so what went wrong is said together at the end."""
        if self._failures:
            table = Table("File", "Code", "What is wrong", box=SIMPLE)
            for row in self._failures:
                table.add_row(*map(plain, row))
            out().print(table)
        out().print(f"{self._done} done, {len(self._failures)} not.")

    def sending(self, file: Path, size: int) -> Callable[[int], None]:
        """Draw a bar that counts bytes."""
        bar = self._display.add_task(plain(file.name), total=max(size, 1), stage="uploading", style="cyan")
        self._bars[str(file)] = bar
        return lambda count: self._display.advance(bar, count)

    def refused(self, file: Path, failure: StagecastError) -> None:
        """Take the bar away and say why."""
        self._drop(str(file))
        status = str(failure.status) if isinstance(failure, Refused) else ""
        self._failures.append((file.name, status, str(failure)))
        self._display.print(
            Text.assemble(("✗ ", "red"), (plain(file.name), "bold"), f": {plain(str(failure))}")
        )

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """Let the bar count pages from now on."""
        if uploaded.already:
            self._display.print(Text.assemble("• ", (plain(file.name), "bold"), ": already there"))
        bar = self._bars.pop(str(file), None)
        if bar is None:
            return
        self._bars[uploaded.document.document_id] = bar
        self._display.update(bar, total=None, completed=0, stage="waiting")

    def moved(self, progress: DocumentProgress, event: dict[str, Any]) -> None:
        """Draw how far it came."""
        bar = self._bars.get(progress.document_id)
        if bar is None:
            return
        unit = {Status.PARSING: "pages", Status.EMBEDDING: "chunks"}.get(progress.status, "")
        counted = f" {progress.done}/{progress.total} {unit}" if progress.total else ""
        stage = progress.status.replace("_", " ") + counted
        style, total = STYLES[progress.status], progress.total or None
        self._display.update(bar, total=total, completed=progress.done, stage=stage, style=style)

    def ended(self, progress: DocumentProgress) -> None:
        """Let the final line take the place of the bar."""
        self._drop(progress.document_id)
        if progress.succeeded:
            self._done += 1
        else:
            self._failures.append((progress.name, progress.code or "", progress.error or "failed"))
        self._display.print(final_line(progress))

    def lost(self, seconds: float, failure: StagecastError | None) -> None:
        """Say that the picture stands still for a while."""
        err().print(f"The event stream was cut; trying again in {math.ceil(seconds)} s.", style="dim")

    def _drop(self, name: str) -> None:
        bar = self._bars.pop(name, None)
        if bar is not None:
            self._display.remove_task(bar)


class _Name(TextColumn):
    """Names as they are: brackets in them are no markup, and the end of a long one is what tells."""

    def render(self, task: Task) -> Text:
        name = task.description
        return Text(name if len(name) <= 40 else f"…{name[-39:]}", "bold")


class _Stage(TextColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields["stage"], task.fields["style"])
