"""How uploads are shown: bars for people, JSON lines for programs."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.document import Uploaded
from cli.document_progress import DocumentProgress
from cli.failures import CommandFailed, Refused
from cli.output import STYLES, at_terminal, ending, err, json_line, out, plain, print_error
from contracts.statuses import Status


class Report(Protocol):
    """Hears what happens to uploads; a context manager, for the time of which bars are drawn."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def sending(self, file: Path, size: int) -> Callable[[int], None]:
        """A file of ``size`` bytes begins to go out; the result hears of each part."""

    def refused(self, file: Path, failure: CommandFailed) -> None:
        """A file was not taken."""

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """A file was taken, or was there already."""

    def moved(self, journey: DocumentProgress, event: dict[str, Any]) -> None:
        """A document came further, as ``event`` tells."""

    def ended(self, journey: DocumentProgress) -> None:
        """A document is done, whether it was just now or before."""

    def lost(self, seconds: float, failure: CommandFailed | None) -> None:
        """The stream was cut and will be tried again after ``seconds``."""


def report() -> Report:
    """Pick the report that suits who reads."""
    return Bars() if at_terminal() else Lines()


class Lines:
    """JSON lines: one for each upload's answer, one for each status event as it was received."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def sending(self, file: Path, size: int) -> Callable[[int], None]:
        """Nothing is written for parts of an upload."""
        return lambda count: None

    def refused(self, file: Path, failure: CommandFailed) -> None:
        """Write the problem, to the errors as well."""
        status = failure.status if isinstance(failure, Refused) else None
        detail = failure.detail if isinstance(failure, Refused) else str(failure)
        json_line({"upload": str(file), "accepted": False, "httpStatus": status, "detail": detail})
        print_error(f"{file}: {failure}")

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """Write the answer."""
        line = {"upload": str(file), "accepted": True, "already": uploaded.already}
        json_line({**line, "document": uploaded.answer})

    def moved(self, journey: DocumentProgress, event: dict[str, Any]) -> None:
        """Write the event."""
        json_line(event)

    def ended(self, journey: DocumentProgress) -> None:
        """Say what failed beside the lines, to whoever reads the errors."""
        if not journey.succeeded:
            print_error(ending(journey).plain)

    def lost(self, seconds: float, failure: CommandFailed | None) -> None:
        """Programs have no use for it: nothing is missed."""


class Bars:
    """A bar for each document: bytes while it goes out, then pages, then chunks."""

    def __init__(self) -> None:
        self._progress = Progress(
            _Name(""),
            BarColumn(bar_width=24),
            _Stage(""),
            TimeElapsedColumn(),
            console=out(),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def sending(self, file: Path, size: int) -> Callable[[int], None]:
        """Draw a bar that counts bytes."""
        bar = self._progress.add_task(plain(file.name), total=max(size, 1), stage="uploading", style="cyan")
        self._bars[str(file)] = bar
        return lambda count: self._progress.advance(bar, count)

    def refused(self, file: Path, failure: CommandFailed) -> None:
        """Take the bar away and say why."""
        self._drop(str(file))
        self._progress.print(
            Text.assemble(("✗ ", "red"), (plain(file.name), "bold"), f": {plain(str(failure))}")
        )

    def taken(self, file: Path, uploaded: Uploaded) -> None:
        """Let the bar count pages from now on."""
        if uploaded.already:
            self._progress.print(Text.assemble("• ", (plain(file.name), "bold"), ": already there"))
        bar = self._bars.pop(str(file), None)
        if bar is None:
            return
        self._bars[uploaded.document.document_id] = bar
        self._progress.update(bar, total=None, completed=0, stage="waiting")

    def moved(self, journey: DocumentProgress, event: dict[str, Any]) -> None:
        """Draw how far it came."""
        bar = self._bars.get(journey.document_id)
        if bar is None:
            return
        unit = {Status.PARSING: "pages", Status.EMBEDDING: "chunks"}.get(journey.status, "")
        counted = f" {journey.done}/{journey.total} {unit}" if journey.total else ""
        stage = journey.status.replace("_", " ") + counted
        style, total = STYLES[journey.status], journey.total or None
        self._progress.update(bar, total=total, completed=journey.done, stage=stage, style=style)

    def ended(self, journey: DocumentProgress) -> None:
        """Let the final line take the place of the bar."""
        self._drop(journey.document_id)
        self._progress.print(ending(journey))

    def lost(self, seconds: float, failure: CommandFailed | None) -> None:
        """Say that the picture stands still for a while."""
        err().print(f"The event stream was cut; trying again in {seconds:.0f} s.", style="dim")

    def _drop(self, name: str) -> None:
        bar = self._bars.pop(name, None)
        if bar is not None:
            self._progress.remove_task(bar)


class _Name(TextColumn):
    """Names as they are: brackets in them are no markup, and the end of a long one is what tells."""

    def render(self, task: Task) -> Text:
        name = task.description
        return Text(name if len(name) <= 40 else f"…{name[-39:]}", "bold")


class _Stage(TextColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields["stage"], task.fields["style"])
