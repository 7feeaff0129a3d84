"""From a directory or a name to a model on what was chosen. Imports torch: reached through ``load_model``."""

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from services.embedder.backends.sentence_transformers_backend import (
    TokenizedModel,
    WholeTextModel,
    takes_tokens,
)
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.model_options import ModelOptions, Precision, Runtime, has_bfloat16
from services.runtime.process.logging import get_logger

log = get_logger(__name__)


def load_sentence_model(source: str, name: str, options: ModelOptions, *, bundled: bool) -> EmbeddingModel:
    """Load from a directory or the hub; raises whatever the libraries raise.

    ValueError where what the options ask for can't be had. What nobody asked for, and fails, is done without.
    """
    torch.set_num_threads(options.threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs
    model = SentenceTransformer(
        source, device="cpu", local_files_only=bundled, model_kwargs={"dtype": torch.float32}
    )
    model.eval()
    native = has_bfloat16(torch.cpu.get_capabilities())
    runtime = options.runtime(bundled=bundled, has_bfloat16=native, convertible=is_convertible(model))
    if runtime.backend == "openvino":
        try:
            return _load_openvino(model, name, runtime.precision, options)
        except Exception as error:
            if options.backend == "openvino" or runtime.precision == "int8":
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            log.warning("conversion_failed", model=name, reason=reason)
    return _load_torch(model, name, Runtime("torch", runtime.precision))


def is_convertible(model: SentenceTransformer) -> bool:
    """Return whether it needs nothing but tokens, which are padded behind the text."""
    return takes_tokens(model) and model.tokenizer.padding_side == "right"


def _load_openvino(
    model: SentenceTransformer, name: str, precision: Precision, options: ModelOptions
) -> EmbeddingModel:
    # Not installed everywhere: only who runs on it imports it.
    from services.embedder.backends.openvino_backend import OpenVinoModel

    return OpenVinoModel(model, name, precision, options)


def _load_torch(model: SentenceTransformer, name: str, runtime: Runtime) -> EmbeddingModel:
    if runtime.precision == "bfloat16":
        model.to(torch.bfloat16)
    kind = TokenizedModel if takes_tokens(model) else WholeTextModel
    return kind(model, name, runtime)
