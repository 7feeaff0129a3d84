"""``stagecast documents``: what can be asked of it."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.commands.documents import act_on_all, act_on_some, list_documents, show_documents
from cli.everywhere import everywhere
from cli.running import run
from contracts.document_calls import OperationKind, Sort
from contracts.failures import FailureCode
from contracts.statuses import Status
from contracts.wire import rfc3339

documents = typer.Typer(
    no_args_is_help=True,
    help="List documents, show, retry, cancel and delete them, one by one or by a filter.",
)


_MOMENT = {"formats": ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]}
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Documents.")]
Statuses = Annotated[list[Status] | None, typer.Option("--status", help="May be repeated.")]
Codes = Annotated[list[FailureCode] | None, typer.Option("--code", help="Why it failed; may be repeated.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="A media type, image/* or an ending; may be repeated.")
]
Name = Annotated[str | None, typer.Option("--name", help="A part of the file name.")]
Owner = Annotated[str | None, typer.Option("--owner", help="For administrators.")]
After = Annotated[
    datetime | None, typer.Option("--created-after", help="In UTC unless told otherwise.", **_MOMENT)
]
Before = Annotated[
    datetime | None, typer.Option("--created-before", help="In UTC unless told otherwise.", **_MOMENT)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all of it is done.")]


@documents.command("list")
@everywhere
def list_(
    status: Statuses = None,
    code: Codes = None,
    file_type: Types = None,
    name: Name = None,
    owner: Owner = None,
    created_after: After = None,
    created_before: Before = None,
    sort: Annotated[Sort, typer.Option("--sort")] = Sort.NEWEST,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0 for all.")] = 50,
) -> None:
    """List documents, the newest first."""
    chosen = _filter(status, code, file_type, name, owner, created_after, created_before)
    run(lambda api: list_documents(api, {**chosen, "sort": sort.value}, limit))


@documents.command()
@everywhere
def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID...")],
) -> None:
    """Show all that is known of documents."""
    run(lambda api: show_documents(api, ids))


def _add(action: OperationKind, sentence: str) -> None:
    def command(
        ids: Ids = None,
        status: Statuses = None,
        code: Codes = None,
        file_type: Types = None,
        name: Name = None,
        owner: Owner = None,
        created_after: After = None,
        created_before: Before = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        wait: Wait = True,
    ) -> None:
        chosen = _filter(status, code, file_type, name, owner, created_after, created_before)
        if bool(ids) == bool(chosen):
            raise typer.BadParameter("either ids of documents or a filter, such as --status or --name")
        if ids:
            run(lambda api: act_on_some(api, action, ids, dry_run, yes))
        else:
            run(lambda api: act_on_all(api, action, chosen, dry_run, yes, wait))

    documents.command(action.value, help=sentence)(everywhere(command))


_add(OperationKind.RETRY, "Process documents again; by a filter those that have ended, a few at a time.")
_add(OperationKind.CANCEL, "Stop the processing of documents; by a filter of those that are under way.")
_add(OperationKind.DELETE, "Delete documents with everything that was made of them.")


def _filter(
    status: list[Status] | None,
    code: list[FailureCode] | None,
    file_type: list[str] | None,
    name: str | None,
    owner: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> dict[str, Any]:
    """Return the parts that were given, as the API names them."""
    parts = {
        "status": [one.value for one in status or ()],
        "code": [one.value for one in code or ()],
        "fileType": list(file_type or ()),
        "name": name,
        "ownerId": owner,
        "createdAfter": _moment(created_after),
        "createdBefore": _moment(created_before),
    }
    return {part: value for part, value in parts.items() if value}


def _moment(given: datetime | None) -> str | None:
    return rfc3339(given if given.tzinfo else given.replace(tzinfo=UTC)) if given else None
