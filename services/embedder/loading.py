"""The way from EMBEDDING_MODEL to a model that works."""

from pathlib import Path

from services.embedder.checksum import ModelUnavailable, bundled_directory
from services.embedder.embedding_model import EmbeddingModel
from services.embedder.model_options import ModelOptions
from services.runtime.bundled_model import BUNDLED_MODEL, is_bundled
from services.runtime.process.logging import get_logger

log = get_logger(__name__)

_EXPECTED = (OSError, ValueError)
"""Raised by the libraries for a model that is not there, is none, or is on a hub that can't be reached.

Anything else, as an ImportError deep in torch, is a broken installation or a bug, and one line tells too little.
So is anything that happens to the bundled model, which is there."""


def load_model(name: str, options: ModelOptions) -> EmbeddingModel:
    """Load a sentence-transformers model by hub name or path, and prove on a sentence that it works.

    The bundled model's weights are checked, and nothing is downloaded for it. Raises ModelUnavailable; where
    that comes of a bug or a broken installation, the traceback is logged.
    """
    bundled = is_bundled(name)
    source = str(bundled_directory()) if bundled else _existing(name)
    try:
        model = _load(source, BUNDLED_MODEL if bundled else name, options, bundled=bundled)
    except ModelUnavailable:
        raise
    except Exception as error:
        if bundled or not isinstance(error, _EXPECTED):
            log.exception("embedding_model_broken", model=name)
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelUnavailable(
            f"The embedding model {name} can't be loaded: {reason}. Set EMBEDDING_MODEL to the directory of a "
            "sentence-transformers model, or to the name of one on a hub that this machine can reach."
        ) from error
    log.info("embedding_model_loaded", model=model.name, runs_on=str(model.runtime))
    return model


def _load(source: str, name: str, options: ModelOptions, *, bundled: bool) -> EmbeddingModel:
    try:
        # Torch takes seconds to import and half a gigabyte: only a process that embeds pays for it.
        from services.embedder.backends.selection import load_sentence_model
    except OSError as error:
        raise ImportError(str(error)) from error  # a library of torch that the system can't load
    model = load_sentence_model(source, name, options, bundled=bundled)
    model.embed(["The first sentence takes the longest."])
    return model


def _existing(name: str) -> str:
    # Anything else that is no directory would be looked up on the hub, and time out there.
    path = Path(name).expanduser()
    if name.startswith(("/", ".", "~")) and not path.is_dir():
        raise ModelUnavailable(f"EMBEDDING_MODEL names {name}, and there is no such directory.")
    return str(path) if path.is_dir() else name
