from datetime import UTC, datetime, timedelta

import pytest

from bench.flow.fairness import indexes, jain
from bench.flow.load import Ended

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)


def ended(owners: str) -> list[Ended]:
    """Documents of these owners (a letter each), a second apart."""
    return [Ended(owner, BEGAN + timedelta(seconds=second)) for second, owner in enumerate(owners)]


@pytest.mark.parametrize(
    ("shares", "index"), [((5, 5), 1), ((1, 0), 1 / 2), ((4, 0, 0, 0), 1 / 4), ((0, 0), 1)]
)
def test_jains_index_is_one_where_all_have_the_same(shares: tuple[int, ...], index: float) -> None:
    assert jain(shares) == pytest.approx(index)


def test_a_window_counts_while_all_owners_have_documents_left() -> None:
    fair = list(indexes(ended("abababab"), "ab", 4, 4, BEGAN))
    assert fair == [1, 1, 1]  # until the last document of the first owner who has none left
    assert min(indexes(ended("aaaabbbb"), "ab", 4, 3, BEGAN)) == pytest.approx(1 / 2)
