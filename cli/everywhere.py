"""The options that stand everywhere, before a command and behind it; behind it they count more."""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, TypeVar

import typer

from cli.output import for_programs

Result = TypeVar("Result")

LOCAL = "http://127.0.0.1:3000"


@dataclass(frozen=True)
class Server:
    """Which Stagecast is asked, and with which token."""

    url: str = LOCAL
    token: str | None = None


server: ContextVar[Server] = ContextVar("server", default=Server())  # noqa: B039 - it is frozen


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"stagecast {version('stagecast')}")
    except PackageNotFoundError:
        typer.echo("stagecast, from a checkout")
    raise typer.Exit


UrlOption = Annotated[
    str | None, typer.Option("--url", help=f"Where Stagecast is; else STAGECAST_URL, or {LOCAL}.")
]
TokenOption = Annotated[
    str | None, typer.Option("--token", help="Sent as Authorization: Bearer; else STAGECAST_TOKEN.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line, as in a pipe.")]
VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
]

_OPTIONS: dict[str, Any] = {
    "url": UrlOption,
    "token": TokenOption,
    "json": JsonOption,
    "version": VersionOption,
}


def choose(url: str | None, token: str | None, json: bool) -> None:
    """Take what was given in place of what was before."""
    given = {name: value for name, value in (("url", url), ("token", token)) if value}
    server.set(replace(server.get(), **given))
    for_programs(json)


def everywhere(command: Callable[..., Result]) -> Callable[..., Result]:
    """Return a command that takes these options beside its own."""

    @functools.wraps(command)
    def taking_them(*args: Any, **given: Any) -> Result:
        of_all = {name: given.pop(name) for name in _OPTIONS}
        choose(of_all["url"], of_all["token"], of_all["json"])
        return command(*args, **given)

    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name in {"json", "version"} else None,
            annotation=annotation,
        )
        for name, annotation in _OPTIONS.items()
    ]
    taking_them.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # type: ignore[attr-defined]  # functions may have one
    taking_them.__annotations__ = {**command.__annotations__, **_OPTIONS}
    return taking_them
