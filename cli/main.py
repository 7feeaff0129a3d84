"""The ``stagecast`` command: what can be asked of it."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api import Api
from cli.commands.audit import audit as compare
from cli.commands.doctor import doctor as try_everything
from cli.commands.notify import first_key
from cli.commands.notify import notify as post_status
from cli.commands.pipeline import pipeline as show_pipeline
from cli.commands.search import Mode
from cli.commands.search import search as search_documents
from cli.commands.upload import upload as upload_files
from cli.commands.watch import watch as watch_stream
from cli.document_commands import documents
from cli.everywhere import JsonOption, VersionOption, choose, everywhere
from cli.report import report
from cli.running import end_with, run
from contracts.statuses import Status

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Upload documents to Stagecast, watch them go through the stages, and search them.",
)


@app.callback()
def stagecast(
    url: Annotated[
        str | None, typer.Option("--url", envvar="STAGECAST_URL", help="Where Stagecast is.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", envvar="STAGECAST_TOKEN", help="Sent as Authorization: Bearer.")
    ] = None,
    json: JsonOption = False,
    version: VersionOption = False,
) -> None:
    """Take what stands before the command."""
    choose(url, token, json)


app.add_typer(documents, name="documents")

Key = Annotated[
    str | None,
    typer.Option("--key", envvar="STAGECAST_WEBHOOK_KEY", help="Of the webhook; else from INTERNAL_API_KEY."),
]
Documents = Annotated[
    list[str] | None, typer.Option("--document", metavar="ID", help="Only this document; may be repeated.")
]


@app.command()
@everywhere
def upload(
    files: Annotated[list[Path], typer.Argument(help="Files, and folders of files.")],
    force: Annotated[bool, typer.Option("--force", help="Process again what is there already.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow each document to its end.")] = True,
) -> None:
    """Upload files and folders, and follow each file through its stages; status 1 if one fails."""

    async def send(api: Api) -> int:
        with report() as shown:
            return await upload_files(api, files, force, wait, shown)

    run(send)


@app.command()
@everywhere
def watch(document: Documents = None) -> None:
    """Print the live event stream until Ctrl-C."""
    run(lambda api: watch_stream(api, document or []))


@app.command()
@everywhere
def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many results.")] = 10,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="By meaning, by words, or by both, as without it.")
    ] = None,
    document: Documents = None,
) -> None:
    """Search the embedded documents."""
    run(lambda api: search_documents(api, text, limit, document or [], mode))


@app.command()
@everywhere
def notify(
    document: Annotated[str, typer.Argument(metavar="DOCUMENT", help="The document's id.")],
    status: Annotated[Status, typer.Argument(help="What has become of it.")],
    message: Annotated[str, typer.Option("--message", help="A sentence for people.")] = "",
    metadata: Annotated[str | None, typer.Option("--metadata", metavar="JSON", help="An object.")] = None,
    key: Key = None,
) -> None:
    """Report a document's status through the webhook."""
    details = None if metadata is None else _json_object(metadata)
    run(lambda api: post_status(api, _webhook_key(key), document, status, message, details))


@app.command()
@everywhere
def pipeline() -> None:
    """Show what waits and runs in each lane of each stage, and what lies behind; for administrators."""
    run(show_pipeline)


@app.command()
@everywhere
def audit(
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="Seconds that work may take without being missed.")
    ] = 900,
    rebuild_archive: Annotated[
        bool,
        typer.Option("--rebuild-archive", help="First empty the archive of the log; the API fills it again."),
    ] = False,
) -> None:
    """Compare database, log, queues and object store; status 1 if anything is missing.

    Reads DATABASE_URL, RABBITMQ_URL, STORAGE_URL and DATA_DIR, as the services do.
    """
    end_with(compare(tolerance, rebuild_archive=rebuild_archive))


@app.command()
@everywhere
def doctor(key: Key = None) -> None:
    """Try health, events, the webhook and an upload end to end, and say what is wrong."""
    run(lambda api: try_everything(api, _webhook_key(key)))


def _webhook_key(given: str | None) -> str | None:
    return given or first_key(os.environ.get("INTERNAL_API_KEY", ""))


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--metadata is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("--metadata is not a JSON object")
    return value


if __name__ == "__main__":
    app()
