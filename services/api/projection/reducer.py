"""The state of a document, reduced from its events: pure, so that a replay of the log gives the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from contracts import stages
from contracts.events import DocumentDeleted, StatusEvent
from contracts.statuses import TERMINAL, Status, supersedes
from contracts.wire import MAX_INTEGER, rfc3339
from services.api.log.entry import Entry

Json = dict[str, JsonValue]


@dataclass(frozen=True)
class DocumentState:
    """The projected half of a document's row."""

    status: Status
    status_attempt: int
    updated_at: datetime
    message: str = ""
    page_count: int | None = None
    chunk_count: int | None = None
    embedded_count: int | None = None
    error: Json | None = None
    stages: Json = field(default_factory=dict)
    event: Json | None = None
    event_position: str | None = None


def apply_event(state: DocumentState, event: StatusEvent, position: str) -> DocumentState:
    """Return the state after an event; the same state for one that comes too late to count.

    Within an attempt a document only moves on, and a terminal status is final. A later attempt starts anew. An
    external producer knows no attempts: its ``parsing_started`` starts anew after a terminal status.
    """
    # An event without an owner is the owner's all the same.
    owner_id = event.owner_id or (state.event or {}).get("ownerId")
    if _starts_anew(state, event):
        state = DocumentState(event.status, event.attempt, event.timestamp)
    elif _is_stale(state, event):
        return state
    page_count, chunk_count, embedded_count = _counts(state, event)
    return replace(
        state,
        status=event.status,
        message=storable(event.message),
        updated_at=event.timestamp,
        error=_error(event),
        stages=_stages(state.stages, event),
        event={**event.model_dump(mode="json", by_alias=True), "ownerId": owner_id},
        event_position=position,
        page_count=page_count,
        chunk_count=chunk_count,
        embedded_count=embedded_count,
    )


def replay_states(
    states: dict[str, DocumentState], current_attempts: Mapping[str, int], entries: Sequence[Entry]
) -> dict[str, DocumentState]:
    """Apply entries to the states of their documents; those that are deleted on the way are left out.

    ``current_attempts`` names the documents that were uploaded here, with the newest attempt that has begun:
    an attempt is in its row before the log hears of it, and what speaks of a later one is not ours.
    Documents that were uploaded here are moved by our stages alone, and all others by external producers
    alone: nobody can call a document embedded that is not, and nothing that was deleted comes back.
    """
    after = dict(states)
    for entry in entries:
        event = entry.event
        if isinstance(event, DocumentDeleted):
            after.pop(event.document_id, None)
        elif isinstance(event, StatusEvent) and _is_entitled(event, current_attempts.get(event.document_id)):
            state = after.get(event.document_id)
            if state is None and event.is_of_producer():
                state = DocumentState(event.status, event.attempt, event.timestamp)
            if state is not None:
                after[event.document_id] = apply_event(state, event, str(entry.position))
    return after


def _is_entitled(event: StatusEvent, current_attempt: int | None) -> bool:
    if current_attempt is None:
        return event.is_of_producer()
    return not event.is_of_producer() and event.attempt <= current_attempt


def storable(text: str) -> str:
    """Replace NUL in a text, which PostgreSQL takes in none, by U+FFFD."""
    return text.replace("\x00", "\ufffd")


def _starts_anew(state: DocumentState, event: StatusEvent) -> bool:
    is_new_run = (
        event.is_of_producer() and event.status is Status.PARSING_STARTED and state.status in TERMINAL
    )
    return event.attempt > state.status_attempt or is_new_run


def _is_stale(state: DocumentState, event: StatusEvent) -> bool:
    if state.event is None:  # reported on for the first time: there is nothing that it could come after
        return event.attempt < state.status_attempt
    if state.event["eventId"] == event.event_id:
        return True
    return not supersedes(
        event.attempt, event.status, known_attempt=state.status_attempt, known_status=state.status
    )


def _counts(state: DocumentState, event: StatusEvent) -> tuple[int | None, int | None, int | None]:
    def count(key: str, current: int | None) -> int | None:
        value = event.metadata.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER:
            return value
        return current

    embedded = count("embeddedCount", state.embedded_count)
    return (
        count("pageCount", state.page_count),
        count("chunkCount", state.chunk_count),
        count("embeddingCount", embedded),
    )


def _error(event: StatusEvent) -> Json | None:
    if event.status is not Status.FAILED:
        return None
    # An external producer's metadata may hold anything; what isn't meant by it is not taken for it.
    code, message, stage = (event.metadata.get(key) for key in ("code", "error", "stage"))
    return {
        "code": storable(code) if isinstance(code, str) else "internal",
        "message": storable(message if isinstance(message, str) and message else event.message),
        "stage": storable(stage) if isinstance(stage, str) else None,
        "retryable": event.metadata.get("retryable") is True,
    }


def _stages(times: Json, event: StatusEvent) -> Json:
    """Return start and end of each stage; a failure ends the one that was running."""
    moment = rfc3339(event.timestamp)
    spec = stages.of_status(event.status)
    running = [name for name, span in times.items() if isinstance(span, dict) and not span["endedAt"]]
    stage = spec.stage if spec else next(reversed(running), None)
    if stage is None:
        return times
    span = times.get(stage)
    started_at = span["startedAt"] if isinstance(span, dict) else moment
    ends = spec is None or event.status is spec.statuses[-1]
    return {**times, stage: {"startedAt": started_at, "endedAt": moment if ends else None}}
