"""Search the embedded documents."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from cli.api import Api
from cli.output import at_terminal, err, json_line, out, plain

SNIPPET_CHARACTERS = 240
BEFORE = 60
"""Characters that stand before the first word that was asked for, at least."""

_BLANKS = re.compile(r"\s+")


class Mode(StrEnum):
    """What a search goes by."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    WORDS = "words"


async def search(api: Api, query: str, limit: int, documents: Sequence[str], mode: Mode | None = None) -> int:
    """Print what was found, best first."""
    items = await api.search(query, limit, documents, mode)
    if not at_terminal():
        for item in items:
            json_line(item)
    elif items:
        out().print(_table(items))
    else:
        err().print("Nothing was found.")
    return 0


def _table(items: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE, expand=True, show_edge=False, pad_edge=False, header_style="dim")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("document", max_width=24, overflow="fold", style="bold")
    table.add_column("pages", no_wrap=True)
    table.add_column("text", ratio=1)
    for item in items:
        table.add_row(_score(item), _name(item), Text(pages(item)), _snippet(item))
    return table


def _score(item: dict[str, Any]) -> Text:
    score = item.get("score")
    return Text(f"{score:.3f}" if isinstance(score, int | float) else "")


def _name(item: dict[str, Any]) -> Text:
    return Text(plain(str(item.get("filename") or item.get("documentId") or "")))


def _snippet(item: dict[str, Any]) -> Text:
    """The beginning of the text, or from shortly before the first word that was asked for."""
    text, spans = str(item.get("text") or ""), _spans(item)
    start = text.rfind(" ", 0, spans[0][0] - BEFORE) + 1 if spans and spans[0][0] > BEFORE else 0
    shown = Text("…" if start else "")
    for first, last in spans:
        shown.append(_line(text[start:first]))
        shown.append(_line(text[max(first, start) : last]), style="bold")
        start = last
    shown.append(_line(text[start:]))
    if len(shown) > SNIPPET_CHARACTERS:
        shown.truncate(SNIPPET_CHARACTERS)
        shown.rstrip()
        shown.append("…")
    return shown


def _spans(item: dict[str, Any]) -> list[tuple[int, int]]:
    found = item.get("highlights")
    return [(first, last) for first, last in found] if isinstance(found, list) else []


def _line(text: str) -> str:
    return plain(_BLANKS.sub(" ", text))


def pages(item: dict[str, Any]) -> str:
    """One page, or the first and the last; empty for what has no pages."""
    first, last = item.get("pageStart"), item.get("pageEnd")
    if first is None:
        return ""
    return f"{first}" if last in {None, first} else f"{first}-{last}"
