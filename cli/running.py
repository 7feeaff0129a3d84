"""Runs a command against a Stagecast, and ends the process as it says."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

import typer

from cli.api import Api
from cli.output import print_error
from stagecast_client import StagecastError

LOCAL = "http://127.0.0.1:3000"

Url = Annotated[str, typer.Option("--url", envvar="STAGECAST_URL", help="Where Stagecast is.")]
Token = Annotated[
    str | None, typer.Option("--token", envvar="STAGECAST_TOKEN", help="Sent as Authorization: Bearer.")
]


def run(url: str, token: str | None, command: Callable[[Api], Awaitable[int]]) -> None:
    """End with the status that ``command`` returns."""

    async def ask() -> int:
        async with Api(url, token) as api:
            return await command(api)

    end_with(ask())


def end_with(command: Coroutine[Any, Any, int]) -> None:
    """End with the status that ``command`` returns, or with the one for what went wrong."""
    try:
        status = asyncio.run(command)
    except StagecastError as failure:
        print_error(str(failure))
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        # The reader of the pipe has enough; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    raise typer.Exit(status)
