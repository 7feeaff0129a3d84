"""The broker and the database that the services stand on, found or run by us."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from local.backing import rabbitmq
from local.backing.broker_repair import RepairedBroker
from local.backing.broker_search import usual_broker
from local.backing.data_dir import DataDir
from local.backing.postgres import EmbeddedPostgres
from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess
from local.up_settings import UpSettings
from services.runtime.process.disk_reserve import DiskReserve, disk_reserve
from services.runtime.process.disk_space import Space


@dataclass(frozen=True)
class Dependencies:
    """Addresses of broker and database, and those of the two that are ours to run."""

    rabbitmq_url: str
    database_url: str
    management_url: str | None
    processes: tuple[ManagedProcess, ...]
    """In the order in which they start."""

    @property
    def sentence(self) -> str:
        """The origin of broker and database, for the person at the terminal."""
        names = [process.name for process in self.processes]
        broker = "private" if "broker" in names else without_password(self.rabbitmq_url)
        database = "private" if "database" in names else without_password(self.database_url)
        return f"starting; broker: {broker}, database: {database}"


def find_dependencies(settings: UpSettings, directory: DataDir) -> Dependencies:
    """Decide where broker and database come from. Raises StartFailed when there can be no broker."""
    processes: list[ManagedProcess] = []
    rabbitmq_url = settings.rabbitmq_url if "rabbitmq_url" in settings.model_fields_set else usual_broker()
    management_url = None
    if rabbitmq_url is None:
        broker = private_broker(directory, disk_reserve(settings), settings.broker_repair_seconds)
        rabbitmq_url, management_url = broker.url, broker.management_url
        processes.append(broker)
    database_url = settings.database_url
    if database_url is None:
        database = EmbeddedPostgres(
            directory.path / "postgres",
            keep_open=(directory.lock,),
            memory_bytes=settings.postgres_memory_bytes,
        )
        database_url = database.url
        processes.append(database)
    return Dependencies(rabbitmq_url, database_url, management_url, tuple(processes))


def private_broker(directory: DataDir, reserve: DiskReserve, repair_seconds: float) -> RepairedBroker:
    """Return the private node of a data directory, not yet started. Raises StartFailed when it is not installed.

    Its own alarm stands at half of the reserve: what is under way can still end, and its housekeeping has the rest.
    """
    if not rabbitmq.installed():
        raise StartFailed("There is no RabbitMQ: run `make setup`, or set RABBITMQ_URL.")
    own = directory.path / "rabbitmq"
    own.mkdir(mode=0o700, exist_ok=True)
    limit = reserve.reserve_of(Space.of(own)) // 2
    return RepairedBroker(
        own,
        keep_open=(directory.lock,),
        disk_free_limit=limit or rabbitmq.DISK_FREE_LIMIT,
        repair_seconds=repair_seconds,
        has_room=lambda: reserve.look() is None,
    )


def without_password(url: str) -> str:
    """Return the URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()
