"""Who shares the running system is on one worker."""

from pathlib import Path

import pytest

from tests.support.spread import shares_the_system

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "shares"),
    [("e2e/test_page.py", True), ("integration/test_faults.py", False), ("fuzz/test_doors.py", True)],
)
def test_files_whose_tests_ask_for_the_system_are_found_and_no_others(file: str, shares: bool) -> None:
    assert shares_the_system(TESTS / file) is shares
