"""What is looked at when all is quiet again: documents, the audit, what an observer and a producer were told."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from contracts.events import StatusEvent
from services.api.audit.comparison import Audit, audit
from services.runtime.database.engine import create_engine
from services.runtime.object_store import ObjectStore
from tests.chaos.load import Load
from tests.support.fakes.waiting import wait_until
from tests.support.system import TERMINAL, Follower, System


def settle(
    system: System, load: Load, within: float, meanwhile: Callable[[], None] = lambda: None
) -> dict[str, dict[str, object]]:
    """Wait until every document that was accepted has ended; the documents."""
    shown: dict[str, dict[str, object]] = {}

    def at_rest() -> bool:
        meanwhile()
        waiting = [key for key in load.accepted if shown.get(key, {}).get("status") not in TERMINAL]
        for document_id in waiting:
            try:
                with system.client() as client:
                    answer = client.get(f"/api/v1/documents/{document_id}")
            except Exception:
                return False
            shown[document_id] = (
                answer.json() if answer.status_code == 200 else {"status": f"{answer.status_code}"}
            )
            if answer.status_code == 404:
                shown[document_id] = {"status": "failed", "error": {"code": "gone"}}
        return all(shown[key]["status"] in TERMINAL for key in load.accepted)

    with suppress(AssertionError):  # The audit tells which.
        wait_until(at_rest, within)
    time.sleep(6)  # longer than the grace, in which the sweeper ends deletions and uploads
    return shown


def audit_of(system: System) -> Audit:
    async def look() -> Audit:
        engine = create_engine(system.database_url)
        try:
            objects = ObjectStore((system.directory / "objects").as_uri())
            return await audit(engine, system.rabbitmq_url, objects, tolerance=timedelta(0))
        finally:
            await engine.dispose()

    for _ in range(20):
        found = asyncio.run(look())
        left = {finding.what for finding in found.findings}
        if not left & {"stuck", "deletion unfinished", "object without a document", "chunks left behind"}:
            break
        time.sleep(1)  # A retry that was asked for at the end may still be on its way.
    return found


def judge(
    system: System, load: Load, shown: dict[str, dict[str, object]]
) -> tuple[dict[str, int], list[str]]:
    outcomes: Counter[str] = Counter()
    wrong = list(load.bugs)
    for document_id, sort in load.accepted.items():
        document = shown.get(document_id, {"status": "unknown"})
        error = document.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        outcomes[f"{sort.name} {code or document['status']}"] += 1
        if document_id in load.touched:
            continue
        if (document["status"], code) != (("failed", sort.code) if sort.code else ("embedded", None)):
            wrong.append(f"{sort.name} {document_id} ended as {document['status']} {error}")
    return dict(sorted(outcomes.items())), wrong


def catch_up(observer: Follower, found: Audit) -> None:
    wanted = [entry.event.event_id for entry in found.entries if isinstance(entry.event, StatusEvent)]

    def caught_up() -> bool:
        seen = {event["eventId"] for event in observer.events()}
        return set(wanted[-200:]) <= seen

    with suppress(AssertionError):  # Those that are missing are told one by one.
        wait_until(caught_up, 20)


def check_webhook(load: Load, found: Audit) -> list[str]:
    """What the webhook answered with 202 is in the log, in the order of the answers."""
    logged: dict[str, list[str]] = {}
    for entry in found.entries:
        if isinstance(entry.event, StatusEvent) and entry.event.document_id in load.events:
            ids = logged.setdefault(entry.event.document_id, [])
            if entry.event.event_id not in ids:
                ids.append(entry.event.event_id)
    return [
        f"the webhook took {ids} of {document_id}, the log has {logged.get(document_id)}"
        for document_id, ids in load.events.items()
        if logged.get(document_id) != ids
    ]


def check_observer(observer: Follower, found: Audit) -> list[str]:
    """Each event of the log seen at least once, and in the log's order, document by document."""
    logged: dict[str, list[str]] = {}
    for entry in found.entries:
        if isinstance(entry.event, StatusEvent):
            ids = logged.setdefault(entry.event.document_id, [])
            if entry.event.event_id not in ids:
                ids.append(entry.event.event_id)
    seen: dict[str, list[str]] = {}
    for event in observer.events():
        seen.setdefault(event["documentId"], []).append(event["eventId"])
    wrong = [
        f"the observer saw {len(seen.get(key, []))} of {len(ids)} events of {key}, or in another order"
        for key, ids in logged.items()
        if seen.get(key, []) != ids
    ]
    resets = [data for kind, _, data in observer.frames if kind == "reset"]
    return wrong + [f"the observer was told to reset: {data}" for data in resets]
