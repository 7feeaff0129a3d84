"""``stagecast documents``: lists, and what is done to one document or to all that a filter chooses."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from cli.api import Api
from cli.failures import CommandFailed
from cli.output import at_terminal, err, json_line, out, plain, print_error, status_text
from contracts.document_calls import OperationKind
from contracts.statuses import Status
from stagecast_client import StagecastError

PAGE = 200
LOOK_SECONDS = 1.0


_DONE = {
    OperationKind.RETRY: "begun again",
    OperationKind.CANCEL: "cancelled",
    OperationKind.DELETE: "deleted",
}


async def list_documents(api: Api, parameters: Mapping[str, Any], limit: int) -> int:
    """Print documents, ``limit`` at most; 0 for all."""
    cursor: str | None = None
    left = limit or sys.maxsize
    is_first = True
    while left > 0 and (is_first or cursor):
        asked = {**parameters, "limit": min(PAGE, left), **({"cursor": cursor} if cursor else {})}
        page = await api.documents(asked)
        items = [item for item in page.get("items") or [] if isinstance(item, dict)]
        _print(items, with_head=is_first)
        left -= len(items)
        cursor, is_first = page.get("nextCursor"), False
    return 0


def _print(items: Sequence[dict[str, Any]], *, with_head: bool) -> None:
    if not at_terminal():
        for item in items:
            json_line(item)
        return
    if not items:
        err().print("There are none.")
        return
    table = Table(
        box=SIMPLE, expand=True, show_edge=False, pad_edge=False, header_style="dim", show_header=with_head
    )
    table.add_column("created", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("document", ratio=1, overflow="fold", style="bold")
    table.add_column("id", no_wrap=True)
    for item in items:
        named = plain(str(item.get("filename") or ""))
        failed = item.get("error")
        why = f"  {plain(str(failed.get('code')))}" if isinstance(failed, dict) else ""
        created = str(item.get("createdAt"))[:16].replace("T", " ")
        table.add_row(
            created, _status(item), Text(named).append(why, "red"), plain(str(item.get("documentId")))
        )
    out().print(table)


def _status(item: Mapping[str, Any]) -> Text:
    status = str(item.get("status"))
    return status_text(Status(status)) if status in set(Status) else Text(plain(status))


async def show_documents(api: Api, ids: Sequence[str]) -> int:
    """Print all that the API tells of documents; status 1 when there is none of one."""
    refused = 0
    for document_id in ids:
        try:
            item = await api.described(document_id)
        except StagecastError as failure:
            refused += _refused(document_id, failure)
            continue
        if not at_terminal():
            json_line(item)
        else:
            _print_all(item)
    return int(bool(refused))


def _print_all(item: Mapping[str, Any]) -> None:
    for name, value in item.items():
        if value not in (None, {}, []):
            out().print(Text.assemble((f"{name:>16}  ", "dim"), plain(str(value))), soft_wrap=True)
    out().print()


async def act_on_some(api: Api, action: OperationKind, ids: Sequence[str], dry_run: bool, yes: bool) -> int:
    """Do something to documents one by one; status 1 when one is refused. Raises CommandFailed."""
    if action is OperationKind.DELETE and not dry_run:
        _confirm(f"Delete {len(ids)} document{'' if len(ids) == 1 else 's'}?", yes)
    refused = 0
    for document_id in dict.fromkeys(ids):
        try:
            await (api.described(document_id) if dry_run else api.act(action, document_id))
        except StagecastError as failure:
            refused += _refused(document_id, failure)
            continue
        if not at_terminal():
            json_line({"documentId": document_id, "action": action.value, "done": not dry_run})
        else:
            said = f"would be {_DONE[action]}" if dry_run else _DONE[action]
            out().print(Text.assemble((plain(document_id), "bold"), f": {said}"))
    return int(bool(refused))


def _refused(document_id: str, failure: StagecastError) -> int:
    if not at_terminal():
        status = getattr(failure, "status", None)
        json_line({"documentId": document_id, "httpStatus": status, "detail": str(failure)})
    else:
        print_error(f"{document_id}: {failure}")
    return 1


async def act_on_all(
    api: Api, action: OperationKind, chosen: Mapping[str, Any], dry_run: bool, yes: bool, wait: bool
) -> int:
    """Do something to all documents that a filter chooses, and follow that to its end. Raises CommandFailed."""
    if dry_run or not yes:
        matched = int((await api.act_on_all(action, chosen, dry_run=True)).get("matched") or 0)
        if dry_run:
            _tell({"action": action.value, "matched": matched}, f"{matched} would be {_DONE[action]}.")
            return 0
        _confirm(f"{matched} documents are to be {_DONE[action]}. Go on?", yes)
    begun = await api.act_on_all(action, chosen, dry_run=False)
    if wait:
        await _follow(api, str(begun.get("operationId")), action)
    else:
        _tell(begun, f"Operation {begun.get('operationId')}: {begun.get('matched')} documents.")
    return 0


async def _follow(api: Api, operation_id: str, action: OperationKind) -> None:
    told = -1
    while True:
        state = await api.operation(operation_id)
        done, matched, has_ended = state.get("done"), state.get("matched"), bool(state.get("ended"))
        if done != told or has_ended:
            _tell(state, f"{done} of {matched} {_DONE[action]}")
            told = int(done or 0)
        if has_ended:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _tell(state: Mapping[str, Any], sentence: str) -> None:
    if not at_terminal():
        json_line(dict(state))
    else:
        out().print(plain(sentence))


def _confirm(question: str, yes: bool) -> None:
    """Ask, unless that was answered before. Raises CommandFailed where nobody can be asked, or says no."""
    if yes:
        return
    if not (sys.stdin.isatty() and at_terminal()):
        raise CommandFailed("Nobody can be asked here: add --yes, or --dry-run to see what it is about")
    if not typer.confirm(question):
        raise CommandFailed("Nothing was done")
