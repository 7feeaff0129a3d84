"""The one terminal that everything writes to: log lines with their source in front, and our own sentences."""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

COLOURS = ("36", "33", "35", "34", "31")
OURSELVES, OUR_COLOUR = "up", "32"


class Terminal:
    """Writes whole lines, one at a time. A terminal that was closed takes nothing and costs nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        self._colours = {**dict(zip(names, cycle(COLOURS), strict=False)), OURSELVES: OUR_COLOUR}
        self._console = Console(highlight=False)
        self._coloured = self._console.is_terminal and not self._console.no_color
        self._width = max(map(len, (*names, OURSELVES)))
        self._lock = threading.Lock()

    @property
    def interactive(self) -> bool:
        """A person looks at it, rather than a file or a program."""
        return self._console.is_terminal

    def line(self, name: str, text: str) -> None:
        """Write one line of the log of one process."""
        prefix = f"{name:<{self._width}} | "
        if self._coloured:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        with self._lock, suppress(OSError, ValueError):
            sys.stdout.write(f"{prefix}{text}\n")
            sys.stdout.flush()

    def say(self, sentence: str) -> None:
        """Write a sentence of our own."""
        self.line(OURSELVES, sentence)

    def announce(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Write a small framed table; where nobody looks, plain lines."""
        if not self.interactive:
            for line in (title, *(f"{what}: {where}" for what, where in rows)):
                self.say(line)
            return
        table = Table.grid(padding=(0, 2))
        for what, where in rows:
            table.add_row(what, f"[bold]{where}[/bold]")
        with self._lock, suppress(OSError, ValueError):
            self._console.print(Panel(table, title=title, border_style="green", expand=False))
