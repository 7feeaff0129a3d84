from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from services.api.documents.views import COLUMNS, DocumentView, view_of_upload
from services.lifecycle.document_attempt import DocumentAttempt

_OF_THE_ATTEMPT_IN_HAND = {"status_attempt", "attempted_at"}


def test_what_an_upload_is_answered_with_has_all_that_the_list_shows() -> None:
    given: dict[str, Any] = {field.name: None for field in fields(DocumentAttempt)}
    view = view_of_upload(
        DocumentAttempt(**given | {"document_id": "a", "attempt": 1}), "0" * 64, datetime.now(UTC)
    )
    assert view.pages_failed is None
    assert {column.name for column in COLUMNS} - _OF_THE_ATTEMPT_IN_HAND == set(DocumentView.model_fields)
