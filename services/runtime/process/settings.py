"""The settings that every process reads: environment variables, read once at start.

A wrong value stops the start with a sentence that names it. Each process has a class of its own, which names
only what it reads besides; ``.env.example`` lists all, with defaults.
"""

import sys
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class CommonSettings(BaseSettings):
    """Addresses of broker, database and object store, logs, and the end of a process."""

    starts_slowly: ClassVar[bool] = False
    """It may be started before broker and database, since it has seconds to spend before it needs them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    rabbitmq_url: str = Field(default="amqp://guest:guest@localhost:5672/", repr=False)
    database_url: str | None = Field(default=None, repr=False)
    storage_url: str | None = None
    data_dir: Path = Path("data")

    disk_reserve_bytes: int | None = Field(default=None, ge=0)
    """Below it nothing new is taken; None is the less of 1 GiB and a twentieth of the file system, 0 none."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    shutdown_seconds: float = Field(default=15, gt=0)
    """For the messages in hand when a process is told to stop; what is not finished then is given back."""

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
    def stop_seconds(self) -> float:
        """The time from SIGTERM until whoever runs the process may kill it.

        It takes the messages in hand, and before them the last requests and what is to be closed.
        """
        return self.shutdown_seconds + 15

    @property
    def object_store_url(self) -> str:
        """The URL of the store that keeps documents' bytes."""
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
