"""The settings of the embedder."""

from pydantic import Field

from services.runtime.process.worker_settings import WorkerSettings


class EmbedderSettings(WorkerSettings):
    """The threads of the model."""

    starts_slowly = True  # it loads its model
    embedder_health_port: int = Field(default=3002, ge=0, le=65535)
    embed_threads: int = Field(default=2, ge=1, le=256)
