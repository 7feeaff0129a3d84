from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from contracts.lanes import Priority
from services.api.documents.views import COLUMNS, DocumentView, view_of_upload
from services.lifecycle.document_attempt import DocumentAttempt

_OF_THE_ATTEMPT_IN_HAND = {"status_attempt", "attempted_at"}


def test_what_an_upload_is_answered_with_has_all_that_the_list_shows() -> None:
    given: dict[str, Any] = {field.name: None for field in fields(DocumentAttempt)}
    attempt = DocumentAttempt(**given | {"document_id": "a", "attempt": 1})
    view = view_of_upload(attempt, "0" * 64, datetime.now(UTC), Priority.NORMAL)
    assert view.pages_failed is None
    # How much is before a document is no column: it follows from all that wait.
    shown = set(DocumentView.model_fields) - {"ahead"}
    assert {column.name for column in COLUMNS} - _OF_THE_ATTEMPT_IN_HAND == shown
