"""What operators may set: environment variables, read once at start.

A wrong value stops the start with a sentence that names it. ``.env.example`` lists all, with defaults.
"""

import sys
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from services.api.access.access_settings import AccessSettings
from services.runtime.process.resilience_settings import ResilienceSettings

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class Settings(AccessSettings, ResilienceSettings):
    """Settings of every service; each reads those that concern it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    health_host: str = "127.0.0.1"
    parser_health_port: int = Field(default=3001, ge=0, le=65535)
    embedder_health_port: int = Field(default=3002, ge=0, le=65535)

    rabbitmq_url: str = Field(default="amqp://guest:guest@localhost:5672/", repr=False)
    database_url: str | None = Field(default=None, repr=False)
    storage_url: str | None = None
    data_dir: Path = Path("data")

    auth_disabled: bool = False

    embedding_model: str = MODEL
    pdf_engine: Literal["auto", "pypdf", "pdfium"] = "auto"
    heartbeat_seconds: float = Field(default=30, gt=0)
    event_lease_seconds: float = Field(default=3600, gt=0)
    event_connections: int = Field(default=20_000, ge=1)
    event_connections_per_user: int = Field(default=100, ge=1)
    max_upload_bytes: int = Field(default=104_857_600, gt=0)

    parse_concurrency: int = Field(default=2, ge=1, le=64)
    parse_timeout_seconds: float = Field(default=600, gt=0)
    parse_memory_bytes: int = Field(default=2_147_483_648, ge=268_435_456)
    embed_batch_chunks: int = Field(default=32, ge=1, le=1024)
    embed_threads: int = Field(default=2, ge=1, le=256)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator("rabbitmq_url")
    @classmethod
    def _is_amqp(cls, url: str) -> str:
        if not url.startswith(("amqp://", "amqps://")):
            raise ValueError("must begin with amqp:// or amqps://")
        return url

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return url

    @field_validator("storage_url")
    @classmethod
    def _is_object_store(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("file://", "s3://")):
            raise ValueError("must begin with file:// or s3://")
        if url is not None and url.startswith("s3://") and not urlsplit(url).netloc:
            raise ValueError("must name a bucket, as in s3://bucket/prefix")
        return url

    @property
    def object_store_url(self) -> str:
        """Where documents' bytes are kept."""
        return self.storage_url or (self.data_dir.resolve() / "objects").as_uri()

    @classmethod
    def read(cls) -> Self:
        """Read the environment; on a wrong value print which one and leave with status 2."""
        try:
            return cls()
        except ValidationError as error:
            for problem in error.errors():
                name = ".".join(str(part) for part in problem["loc"]).upper() or "The environment"
                reason = problem["msg"].removeprefix("Value error, ")
                sys.stderr.write(f"{name} has a wrong value: {reason}\n")
            raise SystemExit(2) from error
