"""Plain text."""

from pathlib import Path

from services.parser.formats.decoding import decode
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import has_text, tidy_lines
from services.parser.parsed_document import Block, Content


def read(path: Path, _reading: Reading) -> Content:
    """Read a text file; its lines are kept. Raises DocumentFailed."""
    text = tidy_lines(decode(path.read_bytes()))
    refuse_excess(len(text))
    return Content((Block(text),) if has_text(text) else ())
