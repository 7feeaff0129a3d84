"""The settings of the API."""

from pydantic import Field

from services.api.access.access_settings import AccessSettings
from services.lifecycle.turn_statements import Shares
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

    large_bytes: int = Field(default=4_194_304, ge=1)
    """A document of more is bulk."""
    owner_share: int = Field(default=16, ge=1)
    """Documents that an owner may have under way before further ones are bulk."""
    owner_window: int = Field(default=4, ge=1)
    """Documents of an owner that are in the first lane at once; the others wait for their turn."""
    bulk_window: int = Field(default=32, ge=1)
    """Documents that are in bulk at once, shared by the owners who have some there."""

    sweep_seconds: float = Field(default=10, gt=0)
    """Between two looks for what a crash left half done."""
    grace_seconds: float = Field(default=30, gt=0)
    """The age from which it is half done for good: longer than a living process takes for the other half."""
    upgrade_overlap_seconds: float = Field(default=3600, ge=0)
    """After an upgrade, in which replicas of the last release may run beside ours."""
    silence_seconds: float = Field(default=900, gt=0)
    """Without any event before a document's command is sent again; twice as long before each further time."""

    @property
    def shares(self) -> Shares:
        """What is large, and how much of a lane is an owner's."""
        return Shares(
            large_bytes=self.large_bytes,
            owner_share=self.owner_share,
            owner_window=self.owner_window,
            bulk_window=self.bulk_window,
        )
