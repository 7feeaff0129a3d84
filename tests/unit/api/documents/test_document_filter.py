"""What chooses documents is written alike in an address and in a body."""

import pytest
from pydantic import ValidationError

from contracts.statuses import Status
from services.api.documents.document_filter import StrictDocumentFilter


def test_one_value_may_stand_for_itself_and_several_in_a_list() -> None:
    of_one = StrictDocumentFilter.model_validate({"status": "failed", "fileType": "pdf", "code": "corrupt"})
    of_several = StrictDocumentFilter.model_validate({"status": ["failed", "parsed"]})

    assert (of_one.status, of_one.file_type) == ((Status.FAILED,), ("pdf",))
    assert of_several.status == (Status.FAILED, Status.PARSED)


@pytest.mark.parametrize(
    "wrong", [{"status": "lost"}, {"stauts": "failed"}, {"createdAfter": 12}, {"name": ""}]
)
def test_a_part_that_is_none_is_refused_and_chooses_nothing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StrictDocumentFilter.model_validate(wrong)


def test_a_filter_without_parts_is_known_for_empty() -> None:
    assert StrictDocumentFilter().is_empty
    assert not StrictDocumentFilter(name="a").is_empty
