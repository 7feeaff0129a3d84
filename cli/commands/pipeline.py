"""Show the pipeline: a table for people, one JSON object for each lane for programs."""

from typing import Any

from rich.table import Table

from cli.api import Api
from cli.failures import CommandFailed
from cli.output import at_terminal, json_line, out, plain

COLUMNS = ("waiting", "running", "oldestWaiting", "rate", "workers")
HEADS = ("Stage", "Lane", "Waiting", "Running", "Oldest (s)", "A second", "Workers")
BEHIND = ("deadLetters", "logEnd", "projectionLag")


async def pipeline(api: Api) -> int:
    """Print the pipeline once; return the exit status."""
    told = await api.pipeline()
    lanes = _lanes(told)
    if at_terminal():
        out().print(_table(lanes))
        dead, end, lag = (told.get(key) for key in BEHIND)
        out().print(f"Dead letters: {dead}. End of the log: {end}; the lists are {lag} events behind it.")
    else:
        for lane in lanes:
            json_line(lane)
        json_line({key: told.get(key) for key in BEHIND})
    return 0


def _lanes(told: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return [{"stage": stage["stage"], **lane} for stage in told["stages"] for lane in stage["lanes"]]
    except (KeyError, TypeError) as error:
        raise CommandFailed(
            "The server describes the pipeline in a way this command does not know"
        ) from error


def _table(lanes: list[dict[str, Any]]) -> Table:
    table = Table(*HEADS, box=None, header_style="bold")
    for lane in lanes:
        numbers = ("-" if lane.get(key) is None else str(lane[key]) for key in COLUMNS)
        table.add_row(plain(str(lane["stage"])), plain(str(lane.get("lane"))), *numbers)
    return table
