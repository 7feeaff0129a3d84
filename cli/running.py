"""Runs a command against a Stagecast, and ends the process as it says."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import typer

from cli.api import Api
from cli.everywhere import server
from cli.output import print_error
from stagecast_client import StagecastError


def run(command: Callable[[Api], Awaitable[int]]) -> None:
    """Ask the server that was chosen; end with the status that ``command`` returns."""
    chosen = server.get()

    async def ask() -> int:
        async with Api(chosen.url, chosen.token) as api:
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
