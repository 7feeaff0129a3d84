"""The way from EMBEDDING_MODEL to a model that works."""

from pathlib import Path

from services.embedder.checksum import ModelUnavailable, bundled_directory
from services.embedder.embedding_model import EmbeddingModel
from services.runtime.bundled_model import BUNDLED_MODEL, is_bundled


def load_model(name: str, *, threads: int) -> EmbeddingModel:
    """Load a sentence-transformers model by hub name or path, and prove on a sentence that it works.

    The bundled model's weights are checked, and nothing is downloaded for it. Raises ModelUnavailable.
    """
    bundled = is_bundled(name)
    source = str(bundled_directory()) if bundled else _existing(name)
    try:
        # Torch takes seconds to import and half a gigabyte: only a process that embeds pays for it.
        from services.embedder.backends.sentence_transformers_backend import load_sentence_model

        model = load_sentence_model(
            source, BUNDLED_MODEL if bundled else name, threads=threads, bundled=bundled
        )
        model.embed(["The first sentence takes the longest."])
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelUnavailable(
            f"The embedding model {name} can't be loaded: {reason}. Set EMBEDDING_MODEL to the directory of a "
            "sentence-transformers model, or to the name of one on a hub that this machine can reach."
        ) from error
    return model


def _existing(name: str) -> str:
    # Anything else that is no directory would be looked up on the hub, and time out there.
    path = Path(name).expanduser()
    if name.startswith(("/", ".", "~")) and not path.is_dir():
        raise ModelUnavailable(f"EMBEDDING_MODEL names {name}, and there is no such directory.")
    return str(path) if path.is_dir() else name
