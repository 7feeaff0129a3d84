"""JSON, JSON Lines and notebooks: each value beside its names, records of like make as tables."""

import json
from collections.abc import Sequence
from pathlib import Path

from services.parser.formats.data.notebook import is_notebook, read_notebook
from services.parser.formats.decoding import decode
from services.parser.formats.flow import Flow
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import tidy_lines
from services.parser.parsed_document import Content

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_MOST_COLUMNS = 40
_LONGEST_CELL = 300
_DEEPEST = 200
_TITLES = ("title", "name")


def read(path: Path, reading: Reading) -> Content:
    """Read a JSON file; what is none after all is text. Raises DocumentFailed."""
    text = decode(path.read_bytes())
    refuse_excess(len(text))
    flow = Flow()
    try:
        value = _parsed(text)
    except (ValueError, RecursionError):
        flow.paragraph(tidy_lines(text))
        return Content(flow.blocks())
    if is_notebook(value):
        return read_notebook(value, reading)
    _Values(flow, reading).read("", value)
    title = value.get("title") if isinstance(value, dict) else None
    return Content(
        flow.blocks(), metadata={"title": tidy_lines(title)[:1000]} if isinstance(title, str) else {}
    )


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        # One value a line. A single broken line makes it no JSON Lines.
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return value


class _Values:
    def __init__(self, flow: Flow, reading: Reading) -> None:
        self._flow = flow
        self._reading = reading

    def read(self, name: str, value: Json, depth: int = 1) -> None:
        """Read what stands under a name, the path to which is joined by dots."""
        self._reading.get_on()
        if depth > _DEEPEST:
            return
        if isinstance(value, dict):
            self._record(name, value, depth)
        elif isinstance(value, list):
            self._list(name, value, depth)
        elif (text := shown(value)) != "":
            self._flow.paragraph(f"{name}: {text}" if name else text)

    def _record(self, name: str, record: dict[str, Json], depth: int) -> None:
        flat = {key: value for key, value in record.items() if is_short(value)}
        self._flow.lines(_line(_path(name, key), value) for key, value in flat.items())
        for key, value in record.items():
            if key in flat:
                continue
            if depth <= 2 and isinstance(value, (dict, list)) and len(value) > 1:
                self._flow.heading(depth, key, shown=False)
            self.read(_path(name, key), value, depth + 1)

    def _list(self, name: str, values: list[Json], depth: int) -> None:
        if all(map(is_short, values)):
            self._flow.paragraph(_line(name, values))
        elif columns := _columns(values):
            self._flow.paragraph(name)
            self._flow.table(
                [
                    columns,
                    *([shown(row.get(key)) for key in columns] for row in values if isinstance(row, dict)),
                ]
            )
        else:
            for number, value in enumerate(values, start=1):
                self.read(f"{name}[{number}]" if name else "", value, depth + 1)


def is_short(value: Json) -> bool:
    """Return whether a value fits into a line."""
    if isinstance(value, list):
        return all(not isinstance(one, (list, dict)) for one in value) and len(shown(value)) <= _LONGEST_CELL
    return not isinstance(value, dict) and len(shown(value)) <= _LONGEST_CELL


def shown(value: Json) -> str:
    """Return a value as people write it."""
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return tidy_lines(str(value))


def _line(name: str, value: Json) -> str:
    text = shown(value)
    return f"{name}: {text}" if name and text else text


def _path(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _columns(values: Sequence[Json]) -> list[str]:
    """The names that all records of a list have among them, if they are of one make."""
    names: dict[str, int] = {}
    for value in values:
        if not isinstance(value, dict) or not all(map(is_short, value.values())):
            return []
        for key in value:
            names[key] = names.get(key, 0) + 1
        if len(names) > _MOST_COLUMNS:
            return []
    often = [key for key, count in names.items() if count * 2 >= len(values)]
    return list(names) if len(values) > 1 and len(often) > 1 and len(often) * 2 >= len(names) else []
