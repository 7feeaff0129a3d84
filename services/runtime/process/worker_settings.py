"""The settings that the workers share, and the API does not read."""

from services.runtime.bundled_model import BUNDLED_MODEL
from services.runtime.process.settings import CommonSettings


class WorkerSettings(CommonSettings):
    """The address of health and metrics, and the model: it counts the parser's tokens and embeds them."""

    health_host: str = "127.0.0.1"
    embedding_model: str = BUNDLED_MODEL
