"""The embedding model's own tokenizer, which alone can say how long a text is for the model."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tokenizers import Tokenizer

from services.runtime.bundled_model import is_bundled

TOKENIZER_FILE = Path(__file__).parent / "bundled_tokenizer" / "all-MiniLM-L6-v2.json"
"""A copy of the bundled model's tokenizer, because the package that the model is in needs torch."""

_BUNDLED_LIMIT = 256
_USUAL_LIMIT = 512
_LIMITS = (
    ("sentence_bert_config.json", "max_seq_length"),
    ("tokenizer_config.json", "model_max_length"),
)
"""The files and keys that say how many tokens a model reads, the most specific first."""


@dataclass(frozen=True)
class ModelTokenizer:
    """Counts tokens as the model sees them; it reads ``limit`` of them, its ``special`` ones included."""

    tokenizer: Tokenizer
    limit: int
    special: int

    @classmethod
    def load(cls, model: str) -> Self:
        """Load the tokenizer of a model: the bundled one, a directory, or a name on the model hub.

        Raises OSError or ValueError when there is none.
        """
        if is_bundled(model):
            return cls._of(Tokenizer.from_file(str(TOKENIZER_FILE)), _BUNDLED_LIMIT)
        directory = Path(model)
        if directory.is_dir():
            tokenizer = Tokenizer.from_buffer((directory / "tokenizer.json").read_bytes())
            return cls._of(tokenizer, _limit(lambda name: directory / name))
        return cls._of(Tokenizer.from_pretrained(model), _limit(lambda name: _from_hub(model, name)))

    @classmethod
    def _of(cls, tokenizer: Tokenizer, limit: int) -> Self:
        # The file asks for 128 tokens, cut and filled up, which would make every text look that long.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return cls(tokenizer, limit, tokenizer.num_special_tokens_to_add(is_pair=False))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens included."""
        return [len(encoding.ids) for encoding in self.tokenizer.encode_batch(list(texts))]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Find the tokens in a text, special ones left out: where each begins and ends, in characters."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).offsets)


def _limit(locate: Callable[[str], Path | None]) -> int:
    for name, key in _LIMITS:
        path = locate(name)
        if path and path.is_file():
            limit = json.loads(path.read_text(encoding="utf-8")).get(key)
            # Tokenizers without a limit say 10^30.
            if isinstance(limit, int) and 0 < limit <= 1_000_000:
                return limit
    return _USUAL_LIMIT


def _from_hub(model: str, name: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name))
    except (EntryNotFoundError, LocalEntryNotFoundError):
        return None
