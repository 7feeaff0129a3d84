"""The three services as they run beside each other on one machine."""

import os
from collections.abc import Mapping

from local.dependencies import Dependencies
from local.local_settings import LocalSettings
from local.processes.ports import claim_first, claim_given
from local.processes.service import Service, module_command
from local.terminal import Terminal

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - where it is asked, not where it listens


def build_services(
    settings: LocalSettings, dependencies: Dependencies, terminal: Terminal, package: str
) -> list[Service]:
    """Return the services, modules of ``package``, not yet started, their ports claimed. Raises StartFailed."""
    ports = claim_ports(settings)
    env = environment(settings, dependencies, ports, interactive=terminal.interactive)
    hosts = {"api": host_to_ask(settings.api.host)}
    return [
        Service(
            name,
            module_command(f"{package}.{name}"),
            env,
            f"http://{hosts.get(name, LOOPBACK)}:{ports[name]}/readyz",
            terminal.line,
            grace_seconds=own.stop_seconds,
            head_start=own.starts_slowly,
        )
        for name, own in settings.services.items()
    ]


def claim_ports(settings: LocalSettings) -> dict[str, int]:
    """Claim each service's port. One that was asked for is taken as it is. Raises StartFailed when it can't be."""
    ports = {"api": claim_given(settings.api.port, settings.api.host, "PORT")}
    for service, worker in settings.workers.items():
        field = health_port(service)
        wanted: int = getattr(worker, field)
        asked_for = field in worker.model_fields_set
        ports[service] = claim_given(wanted, LOOPBACK, field.upper()) if asked_for else claim_first(wanted)
    return ports


def environment(
    settings: LocalSettings, dependencies: Dependencies, ports: Mapping[str, int], *, interactive: bool
) -> dict[str, str]:
    """Return the environment of every service: the caller's, and what was decided here."""
    return {
        **({"LOG_FORMAT": "console", "FORCE_COLOR": "1"} if interactive else {}),
        **os.environ,
        "RABBITMQ_URL": dependencies.rabbitmq_url,
        "DATABASE_URL": dependencies.database_url,
        "DATA_DIR": str(settings.api.data_dir.resolve()),
        "PORT": str(ports["api"]),
        **{health_port(service).upper(): str(ports[service]) for service in settings.workers},
    }


def health_port(service: str) -> str:
    """Return the name of the setting that says where a worker answers for its health."""
    return f"{service}_health_port"


def host_to_ask(host: str) -> str:
    """Return the name by which this machine asks a server that listens on ``host``, as it stands in a URL."""
    asked = EVERYWHERE.get(host, host)
    return f"[{asked}]" if ":" in asked else asked
