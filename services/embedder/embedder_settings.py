"""The settings of the embedder."""

from typing import Literal, Self

from pydantic import Field, model_validator

from services.embedder.model_options import Backend, ModelOptions, Precision
from services.runtime.process.worker_settings import WorkerSettings


class EmbedderSettings(WorkerSettings):
    """The threads of the model, and what it is to run on."""

    starts_slowly = True  # it loads its model
    embedder_health_port: int = Field(default=3002, ge=0, le=65535)
    embed_threads: int = Field(default=2, ge=1, le=256)
    embedding_backend: Literal["auto"] | Backend = "auto"
    embedding_precision: Literal["auto"] | Precision = "auto"

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        _ = self.model_options
        return self

    @property
    def model_options(self) -> ModelOptions:
        """Return how the model is to be loaded; what is made of it is kept in ``DATA_DIR``."""
        return ModelOptions(
            threads=self.embed_threads,
            backend=self.embedding_backend,
            precision=self.embedding_precision,
            cache=self.data_dir.resolve() / "models",
        )
