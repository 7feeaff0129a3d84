"""sentence-transformers behind our interface. Imports torch: reached through ``load_model`` only."""

import sys
from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import PreTrainedTokenizerBase
from transformers.data.data_collator import pad_without_fast_tokenizer_warning

from services.embedder.embedding_model import EmbeddingModel, Row, Vectors, unit
from services.embedder.model_options import Runtime

CHARACTERS_PER_TOKEN = 3
"""A low guess, for models whose tokenizer we don't call."""

AS_LOADED = Runtime("torch", "float32")


def takes_tokens(model: SentenceTransformer) -> bool:
    """Return whether tokens that we made are all it needs: no route, template or mask that depends on the text."""
    first = model[0]
    return (
        isinstance(first, Transformer)
        and isinstance(first.tokenizer, PreTrainedTokenizerBase)
        and first.modalities == ["text"]
        and not first.can_flatten_inputs
        and not first.processing_kwargs
        and first.query_length is first.document_length is first.query_expansion is None
        and not any(isinstance(module, Router) for module in model)
        and all(module.include_prompt for module in model if isinstance(module, Pooling))
    )


class _SentenceModel(EmbeddingModel):
    def __init__(self, model: SentenceTransformer, name: str, runtime: Runtime = AS_LOADED) -> None:
        self._model = model
        self.runtime = runtime
        self.name = name
        self.max_tokens = _limit(model)
        self.dimensions = int(self._encode(self.tokenize([name])).shape[1])

    def forward(self, rows: Sequence[Row]) -> Vectors:
        """Run one batch, in the order given; raises MemoryError when it does not fit."""
        try:
            with torch.inference_mode():
                # In float32, because unit length in bfloat16 is off by up to 0.4 %.
                return unit(self._encode(rows).float().numpy())
        except RuntimeError as error:
            if _out_of_memory(error):
                raise MemoryError(str(error)) from error
            raise

    def _encode(self, rows: Sequence[Row]) -> torch.Tensor:
        raise NotImplementedError


class TokenizedModel(_SentenceModel):
    """A model that is a transformer, pooling and so on: each text is tokenized once, and padded per batch."""

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        """Make texts ready, behind the prompt that the model's authors chose for queries or passages."""
        prompt = self._prompt(query)
        encoded = self._model.tokenizer(
            [prompt + text for text in texts], truncation=True, max_length=self.max_tokens, padding=False
        )
        names = list(encoded)
        features = [dict(zip(names, lists, strict=True)) for lists in zip(*encoded.values(), strict=True)]
        return [
            Row(text, len(row["input_ids"]), row, query) for text, row in zip(texts, features, strict=True)
        ]

    def _prompt(self, query: bool) -> str:
        # The order in which sentence-transformers' encode_query and encode_document look.
        kinds = ("query",) if query else ("document", "passage", "corpus")
        return next((self._model.prompts[kind] or "" for kind in kinds if kind in self._model.prompts), "")

    def _encode(self, rows: Sequence[Row]) -> torch.Tensor:
        padded = pad_without_fast_tokenizer_warning(  # type: ignore[no-untyped-call]  # theirs
            self._model.tokenizer, [row.features for row in rows], padding=True, return_tensors="pt"
        )
        output: dict[str, torch.Tensor] = self._model({**padded, "modality": "text"})
        return output["sentence_embedding"]


class WholeTextModel(_SentenceModel):
    """Any other model: sentence-transformers does all of it."""

    def tokenize(self, texts: Sequence[str], *, query: bool = False) -> list[Row]:
        """Guess the texts' lengths; the model's own tokenizer works inside ``forward``."""
        return [self._row(text, query) for text in texts]

    def _row(self, text: str, query: bool) -> Row:
        return Row(text, min(2 + len(text) // CHARACTERS_PER_TOKEN, self.max_tokens), query=query)

    def _encode(self, rows: Sequence[Row]) -> torch.Tensor:
        vectors = torch.empty((len(rows), self._model.get_embedding_dimension() or 0))
        for query, encode in ((True, self._model.encode_query), (False, self._model.encode_document)):
            indices = [index for index, row in enumerate(rows) if row.query is query]
            if indices:
                texts = [rows[index].text for index in indices]
                vectors[indices] = encode(texts, convert_to_tensor=True, show_progress_bar=False).float()
        return vectors


def _limit(model: SentenceTransformer) -> int:
    """Tokens that the model reads of a text; sys.maxsize where it names no limit."""
    config = model.config
    limits = (model.max_seq_length, getattr(config, "max_position_embeddings", None))
    return int(min(limit for limit in (*limits, sys.maxsize) if limit is not None))


def _out_of_memory(error: RuntimeError) -> bool:
    # On the CPU torch has no type of its own for it.
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "can't allocate memory" in text
        or "not enough memory" in text
    )
