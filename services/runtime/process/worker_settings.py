"""The settings that the workers share, and the API does not read."""

from services.runtime.process.settings import CommonSettings

BUNDLED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
"""Comes with a package, and needs no download."""


class WorkerSettings(CommonSettings):
    """The address of health and metrics, and the model: it counts the parser's tokens and embeds them."""

    health_host: str = "127.0.0.1"
    embedding_model: str = BUNDLED_MODEL
