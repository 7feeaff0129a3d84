"""Notebooks of Jupyter: their prose as Markdown, their code, and what it printed."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from services.parser.formats.flow import Flow
from services.parser.formats.markdown import read_markdown
from services.parser.formats.reading import Reading
from services.parser.normalization import tidy_lines
from services.parser.parsed_document import Content


def is_notebook(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is a notebook."""
    return isinstance(value, dict) and isinstance(value.get("cells"), list) and "nbformat" in value


def read_notebook(notebook: Mapping[str, Any], reading: Reading) -> Content:
    """Read the cells in their order. Raises DocumentFailed."""
    flow = Flow()
    for cell in notebook["cells"]:
        if not isinstance(cell, dict):
            continue
        reading.get_on()
        source = tidy_lines(_joined(cell.get("source")))
        if cell.get("cell_type") == "markdown":
            read_markdown(flow, source, reading)
        elif source:
            flow.paragraph(f"```\n{source}\n```")
        for output in _outputs(cell):
            flow.paragraph(tidy_lines(output))
    return Content(flow.blocks())


def _outputs(cell: Mapping[str, Any]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict):
            yield _joined(output.get("text"))
            data = output.get("data")
            # Beside it stand pictures in base64, and the same once more in HTML.
            yield _joined(data.get("text/plain")) if isinstance(data, dict) else ""


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""
