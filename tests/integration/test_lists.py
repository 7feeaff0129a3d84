"""Lists of documents: what filters choose, in which order, page by page while documents come, move and go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.document_calls import Sort
from services.api.access.caller import LOCAL_USER, Caller
from services.api.documents.catalog import ListRequest, list_documents
from services.api.documents.views import DocumentView
from services.api.refusals import Forbidden, Invalid
from services.runtime.database.tables import documents

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALICE, BOB = Caller("alice", sees_all=False), Caller("bob", sees_all=False)
ROWS: list[dict[str, Any]] = [
    {
        "document_id": "a",
        "owner_id": "alice",
        "filename": "Annual Report.PDF",
        "file_type": "application/pdf",
    },
    {
        "document_id": "b",
        "owner_id": "alice",
        "filename": "50%_off.html",
        "file_type": "text/HTML",
        "size": 7,
    },
    {"document_id": "c", "owner_id": "bob", "filename": "report.md", "file_type": "text/markdown", "size": 7},
    {"document_id": "d", "owner_id": None, "filename": None, "file_type": None, "sha256": None},
    {
        "document_id": "e",
        "owner_id": "alice",
        "filename": "x" * 500 + ".pdf",
        "file_type": "image/" + "y" * 240,
    },
]
ERROR = {"message": "It failed.", "stage": "parsing", "retryable": False}
CHANGED: dict[str, dict[str, Any]] = {
    "b": {"status": "failed", "error": {**ERROR, "code": "corrupt"}},
    "c": {"status": "failed", "error": {**ERROR, "code": "cancelled"}},
    "e": {"status": "failed", "error": {**ERROR, "code": "corrupt"}, "attempt": 2},  # retried a moment ago
}


@pytest.fixture
async def listed(engine: AsyncEngine) -> AsyncEngine:
    async with engine.begin() as connection:
        for number, row in enumerate(ROWS):
            moment = NOON + timedelta(hours=number)
            times = dict.fromkeys(("created_at", "attempted_at", "updated_at"), moment)
            about = {"sha256": row["document_id"], "size": 1000 - number, "status": "embedded"}
            await connection.execute(insert(documents).values({**times, **about, "status_attempt": 1, **row}))
        for document_id, columns in CHANGED.items():
            this = documents.c.document_id == document_id
            await connection.execute(update(documents).where(this).values(**columns))
    return engine


async def every_page(
    engine: AsyncEngine, caller: Caller, limit: int = 2, **wanted: Any
) -> list[DocumentView]:
    found: list[DocumentView] = []
    cursor: str | None = None
    while True:
        request = ListRequest.model_validate({**wanted, "limit": limit, "cursor": cursor})
        page = await list_documents(engine, caller, request)
        found += page.items
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


async def ids(engine: AsyncEngine, caller: Caller = LOCAL_USER, **wanted: Any) -> str:
    return "".join(item.document_id for item in await every_page(engine, caller, **wanted))


async def test_each_part_of_a_filter_chooses_what_is_shown_so_and_all_parts_are_met(
    listed: AsyncEngine,
) -> None:
    assert await ids(listed, status=["failed"]) == "cb"
    assert await ids(listed, status=["parsing_started"]) == "e"
    assert await ids(listed, code=["corrupt"]) == "b"
    assert await ids(listed, code=["corrupt", "cancelled"]) == "cb"
    assert await ids(listed, fileType=["text/*"]) == "cb"
    assert await ids(listed, fileType=["text/html", "PDF"]) == "eba"
    assert await ids(listed, fileType=["image/" + "Y" * 240]) == "e"
    assert await ids(listed, fileType=["image/" + "y" * 200]) == ""
    assert await ids(listed, name="REPORT") == "ca"
    assert await ids(listed, name="%_") == "b"
    assert await ids(listed, createdAfter=NOON, createdBefore=NOON + timedelta(hours=2)) == "b"
    assert await ids(listed, ownerId="bob") == "c"
    assert await ids(listed, name="report", status=["embedded"], fileType=["pdf"]) == "a"


async def test_an_owner_sees_his_own_and_nobodys_in_one_order(listed: AsyncEngine) -> None:
    assert await ids(listed, ALICE) == "edba"
    assert await ids(listed, BOB) == "dc"
    assert await ids(listed, ALICE, ownerId="alice") == "eba"
    with pytest.raises(Forbidden):
        await ids(listed, ALICE, ownerId="bob")


@pytest.mark.parametrize(
    ("sort", "order"),
    [("createdAt", "abcde"), ("updatedAt", "abcde"), ("filename", "dbace"), ("size", "bceda")],
)
async def test_pages_in_any_order_have_each_document_once(listed: AsyncEngine, sort: str, order: str) -> None:
    assert await ids(listed, sort=sort, limit=1) == order
    assert await ids(listed, sort=f"-{sort}", limit=1) == order[::-1]


async def test_a_cursor_stays_true_while_documents_come_and_go_before_it_and_is_of_its_order_alone(
    listed: AsyncEngine,
) -> None:
    first = await list_documents(listed, LOCAL_USER, ListRequest(limit=2, sort=Sort.LARGEST))
    async with listed.begin() as connection:
        await connection.execute(
            update(documents).where(documents.c.document_id == "a").values(deleted_at=NOON)
        )
        await connection.execute(update(documents).where(documents.c.document_id == "c").values(size=5000))
    rest = ListRequest(limit=5, sort=Sort.LARGEST, cursor=first.next_cursor)
    assert [item.document_id for item in (await list_documents(listed, LOCAL_USER, rest)).items] == ["e", "b"]
    with pytest.raises(Invalid):
        await list_documents(listed, LOCAL_USER, rest.model_copy(update={"sort": Sort.SIZE}))
