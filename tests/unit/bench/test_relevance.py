"""What the measure of search's relevance makes of a collection, and of what was found."""

import json
import math
from pathlib import Path

import pytest

from bench.relevance import ndcg, read_collection, recall

TEXTS = ({"_id": "a", "title": " Bees ", "text": "They fly."}, {"_id": "b", "text": "Wasps do too."})
QUERIES = ({"_id": "1", "text": "flight"}, {"_id": "2", "text": "unjudged"}, {"_id": "3", "text": "sting"})
JUDGEMENTS = "query-id\tcorpus-id\tscore\n3\tb\t1\n1\ta\t2\n1\tb\t0\n1\tgone\t1\n"


@pytest.mark.parametrize("judged", ["qrels.tsv", "qrels/test.tsv"])
def test_a_collection_is_its_texts_and_the_queries_that_were_judged(tmp_path: Path, judged: str) -> None:
    for name, rows in (("corpus", TEXTS), ("queries", QUERIES)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / judged).parent.mkdir(exist_ok=True)
    (tmp_path / judged).write_text(JUDGEMENTS)
    collection = read_collection(tmp_path)
    assert collection.corpus == {"a": ("Bees", "They fly."), "b": ("", "Wasps do too.")}
    assert collection.queries == {"3": "sting", "1": "flight"}
    assert collection.relevant == {"3": {"b": 1}, "1": {"a": 2}}
    assert read_collection(tmp_path, most_queries=1).queries == {"3": "sting"}


def test_what_is_relevant_gains_less_the_later_it_comes_and_is_found_or_not() -> None:
    relevant = {"a": 2, "b": 1}
    assert ndcg(["a", "b", "x"], relevant) == 1
    assert ndcg(["x", "a"], {"a": 1}) == pytest.approx(1 / math.log2(3))
    assert ndcg(["b", "a"], relevant) == pytest.approx((1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)))
    assert ndcg(["x"] * 10 + ["a"], relevant) == 0
    assert recall(["x", "a"], relevant) == 0.5
    assert recall(["x"] * 100 + ["a"], relevant) == 0
