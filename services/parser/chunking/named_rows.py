"""The rows of a table with more columns than their names have room for: each cell beside the name of its column."""

from dataclasses import replace

from services.parser.parsed_document import BETWEEN_CELLS, Block


def named_rows(block: Block) -> Block:
    """Return the rows of a table so that a part of one says what it is of."""
    names = block.columns.split(BETWEEN_CELLS)
    rows = (_named(names, row.split(BETWEEN_CELLS)) for row in block.text.split("\n"))
    return replace(block, text="\n".join(rows), columns="")


def _named(names: list[str], row: list[str]) -> str:
    named = [f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell]
    return BETWEEN_CELLS.join(named + row[len(names) :])
