"""The settings of ``make up`` itself."""

from pydantic import Field

from services.runtime.process.settings import CommonSettings


class UpSettings(CommonSettings):
    """What every process reads, how the private broker is looked after, and what the embedded database may take."""

    broker_repair_seconds: float = Field(default=60, ge=0)
    """So long the private broker has to say that a queue is down before another takes its place; 0: never."""

    postgres_memory_bytes: int | None = Field(default=None, ge=128 * 1024 * 1024)
    """Memory of the embedded database; None is an eighth of the machine's, from 192 MiB to 4 GiB."""
