"""What operators may set about waiting: how long before something counts as lost, and what happens then."""

from pydantic import Field
from pydantic_settings import BaseSettings


class ResilienceSettings(BaseSettings):
    """The part of the settings that the sweeper and the workers' end read."""

    sweep_seconds: float = Field(default=10, gt=0)
    """Between two looks for what a crash left half done."""
    grace_seconds: float = Field(default=30, gt=0)
    """How old that must be: longer than a living process takes for the other half."""
    silence_seconds: float = Field(default=900, gt=0)
    """Without any event before a document's command is sent again; twice as long before each further time."""
    upload_seconds: float = Field(default=3600, gt=0)
    """What an upload may take."""
    shutdown_seconds: float = Field(default=15, gt=0)
    """What a worker may take to finish what it has in hand before it is given back."""
