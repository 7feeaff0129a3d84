"""Print for people at a terminal, and for programs that read from a pipe."""

import json
import sys
import unicodedata
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.document_progress import DocumentProgress
from contracts.statuses import Status

STYLES = {
    Status.PARSING_STARTED: "cyan",
    Status.PARSING: "blue",
    Status.PARSED: "bright_blue",
    Status.EMBEDDING: "magenta",
    Status.EMBEDDED: "green",
    Status.FAILED: "red",
}


_for_programs: ContextVar[bool] = ContextVar("for_programs", default=False)


def for_programs(wanted: bool) -> None:
    """Write for a program from now on, whoever reads, if that is wanted."""
    if wanted:
        _for_programs.set(True)


def at_terminal() -> bool:
    """Return whether a person reads; else a program does, and gets JSON lines."""
    return sys.stdout.isatty() and not _for_programs.get()


def out() -> Console:
    """Return the console for results."""
    return Console(highlight=False)


def err() -> Console:
    """Return the console for sentences about what went wrong."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def json_line(value: Any) -> None:
    """Write one value as one line, at once, so that a reader of the pipe keeps up."""
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        line = json.dumps(value)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Return the text of others on one line, without control characters: a file name may hold escape sequences."""
    kept = (" " if unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp"} else sign for sign in text)
    return "".join("�" if unicodedata.category(sign) == "Cs" else sign for sign in kept).strip()


def print_error(sentence: str) -> None:
    """Say what went wrong."""
    err().print(Text(plain(sentence), "red" if sys.stderr.isatty() else ""))


def status_text(status: Status) -> Text:
    """Return a status as people read it, in its colour."""
    return Text(status.replace("_", " "), STYLES[status])


def chunks(progress: DocumentProgress) -> str:
    """Say how many chunks a document has."""
    count = progress.chunks if progress.chunks is not None else "?"
    return f"{count} chunk{'' if count == 1 else 's'}"


def final_line(progress: DocumentProgress) -> Text:
    """Return the final line of a document."""
    name = (plain(progress.name), "bold")
    if progress.deleted:
        return Text.assemble(("✗ ", "red"), name, ": deleted while it was being processed")
    if progress.succeeded:
        return Text.assemble(("✓ ", "green"), name, f": embedded, {chunks(progress)}")
    code = f" ({plain(progress.code)})" if progress.code else ""
    return Text.assemble(("✗ ", "red"), name, f": {plain(progress.error) or 'failed'}{code}")
