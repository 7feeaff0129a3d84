"""The one terminal that everything writes to: log lines with their source in front, and our own sentences."""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

COLOURS = {"api": "36", "parser": "33", "embedder": "35", "broker": "31", "database": "34", "up": "32"}
OURSELVES = "up"


class Terminal:
    """Writes whole lines, one at a time. A terminal that was closed takes nothing and costs nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        self._console = Console(highlight=False)
        self._coloured = self._console.is_terminal and not self._console.no_color
        self._width = max(map(len, (*names, OURSELVES)))
        self._lock = threading.Lock()

    @property
    def interactive(self) -> bool:
        """Whether a person looks at it, rather than a file or a program."""
        return self._console.is_terminal

    def line(self, name: str, text: str) -> None:
        """Write one line of one part's log."""
        prefix = f"{name:<{self._width}} | "
        if self._coloured:
            prefix = f"\x1b[{COLOURS.get(name, '37')}m{prefix}\x1b[0m"
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
