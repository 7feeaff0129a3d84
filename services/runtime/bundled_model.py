"""The embedding model that comes with Stagecast, without a download: the default of EMBEDDING_MODEL."""

BUNDLED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def is_bundled(model: str) -> bool:
    """Return whether a name is the bundled model's, with its author or without."""
    return model in {BUNDLED_MODEL, BUNDLED_MODEL.rpartition("/")[2]}
