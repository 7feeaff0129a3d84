"""The settings of all that ``make up`` starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Self

from services.api.api_settings import ApiSettings
from services.runtime.process.worker_settings import WorkerSettings

WORKERS = ("parser", "embedder")


@dataclass(frozen=True)
class LocalSettings:
    """The settings of the API, and those of each worker by the name of its service."""

    api: ApiSettings
    workers: Mapping[str, WorkerSettings]

    @classmethod
    def read(cls) -> Self:
        """Read what each service will read; a wrong value leaves with status 2 before anything is started."""
        return cls(ApiSettings.read(), {service: worker_settings(service).read() for service in WORKERS})


def worker_settings(service: str) -> type[WorkerSettings]:
    """The class of a worker's settings: ``ParserSettings`` in ``services/parser/parser_settings.py``."""
    module = import_module(f"services.{service}.{service}_settings")
    found: type[WorkerSettings] = getattr(module, f"{service.capitalize()}Settings")
    return found
