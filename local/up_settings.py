"""The settings of ``make up`` itself."""

from pydantic import Field

from services.runtime.process.settings import CommonSettings


class UpSettings(CommonSettings):
    """What every process reads, and how the private broker is looked after."""

    broker_repair_seconds: float = Field(default=60, ge=0)
    """So long the private broker has to say that a queue is down before another takes its place; 0: never."""
