"""The settings of the API."""

from pydantic import Field

from services.api.access.access_settings import AccessSettings
from services.runtime.process.settings import CommonSettings


class ApiSettings(AccessSettings, CommonSettings):
    """The address of the API, its event streams, uploads, and the recovery of what a crash left."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)

    heartbeat_seconds: float = Field(default=30, gt=0)
    event_lease_seconds: float = Field(default=3600, gt=0)
    event_connections: int = Field(default=20_000, ge=1)
    event_connections_per_user: int = Field(default=100, ge=1)

    max_upload_bytes: int = Field(default=104_857_600, gt=0)
    upload_seconds: float = Field(default=3600, gt=0)
    """For one upload."""

    sweep_seconds: float = Field(default=10, gt=0)
    """Between two looks for what a crash left half done."""
    grace_seconds: float = Field(default=30, gt=0)
    """The age from which it is half done for good: longer than a living process takes for the other half."""
    upgrade_overlap_seconds: float = Field(default=3600, ge=0)
    """After an upgrade, in which replicas of the last release may run beside ours."""
    silence_seconds: float = Field(default=900, gt=0)
    """Without any event before a document's command is sent again; twice as long before each further time."""
