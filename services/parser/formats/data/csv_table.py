"""CSV and TSV: a table whose first row names its columns."""

import csv
from collections.abc import Iterator
from pathlib import Path

from services.parser.formats.decoding import decode
from services.parser.formats.flow import Flow
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import clean
from services.parser.parsed_document import Content
from services.runtime.separated_values import delimiter_of

_SAMPLE_CHARACTERS = 65_536
csv.field_size_limit(2**31 - 1)  # what is too large is refused by the size of the document


def read(path: Path, reading: Reading) -> Content:
    """Read a CSV or TSV file, whatever parts its values. Raises DocumentFailed."""
    text = clean(decode(path.read_bytes()))
    refuse_excess(len(text))
    delimiter = delimiter_of(text[:_SAMPLE_CHARACTERS]) or ","
    flow = Flow()
    flow.table(_rows(text, delimiter, reading))
    return Content(flow.blocks())


def _rows(text: str, delimiter: str, reading: Reading) -> Iterator[list[str]]:
    lines = iter(text.splitlines(keepends=True))
    for row in csv.reader(lines, delimiter=delimiter):
        reading.get_on()
        yield row
