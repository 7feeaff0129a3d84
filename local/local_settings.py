"""The settings of all that ``make up`` starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Self

from contracts import stages
from local.up_settings import UpSettings
from services.api.api_settings import ApiSettings
from services.runtime.process.settings import CommonSettings
from services.runtime.process.worker_settings import WorkerSettings


@dataclass(frozen=True)
class LocalSettings:
    """Our own, those of the API, and those of each worker by the name of its service."""

    up: UpSettings
    api: ApiSettings
    workers: Mapping[str, WorkerSettings]

    @property
    def services(self) -> dict[str, CommonSettings]:
        """The settings of each service by its name, the API's first."""
        return {"api": self.api, **self.workers}

    @classmethod
    def read(cls) -> Self:
        """Read what each service will read; a wrong value leaves with status 2 before anything is started."""
        workers = {service: worker_settings(service).read() for service in worker_names()}
        return cls(UpSettings.read(), ApiSettings.read(), workers)


def worker_names() -> tuple[str, ...]:
    """Return the names of the services of the stages, in the stages' order."""
    return tuple(dict.fromkeys(spec.service for spec in stages.STAGES))


def worker_settings(service: str) -> type[WorkerSettings]:
    """Return the class of a worker's settings: ``ParserSettings`` in ``services/parser/parser_settings.py``."""
    module = import_module(f"services.{service}.{service}_settings")
    found: type[WorkerSettings] = getattr(module, f"{service.capitalize()}Settings")
    return found
