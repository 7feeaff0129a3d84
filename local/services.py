"""The three services as they run beside each other on one machine."""

import os
from collections.abc import Mapping

from local.dependencies import Dependencies
from local.ports import claim_first, claim_given
from local.service import Service, module_command
from local.terminal import Terminal
from services.runtime.process.settings import Settings

NAMES = ("api", "parser", "embedder")
SLOW = "embedder"
"""Loads its model while the broker boots; each takes seconds."""

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - where it is asked, not where it listens


def build_services(
    settings: Settings, foundation: Dependencies, terminal: Terminal, package: str
) -> list[Service]:
    """The services, modules of ``package``, not yet started, with their ports claimed. Raises StartFailed."""
    ports = claim_ports(settings)
    env = environment(settings, foundation, ports, interactive=terminal.interactive)
    hosts = {"api": host_to_ask(settings.host)}
    return [
        Service(
            name,
            module_command(f"{package}.{name}"),
            env,
            f"http://{hosts.get(name, LOOPBACK)}:{ports[name]}/readyz",
            terminal.line,
            head_start=name == SLOW,
        )
        for name in NAMES
    ]


def claim_ports(settings: Settings) -> dict[str, int]:
    """Each service's port. One that was asked for is taken as it is, or StartFailed says that it can't be."""
    ports = {"api": claim_given(settings.port, settings.host, "PORT")}
    for name in ("parser", "embedder"):
        field = f"{name}_health_port"
        wanted: int = getattr(settings, field)
        asked_for = field in settings.model_fields_set
        ports[name] = claim_given(wanted, LOOPBACK, field.upper()) if asked_for else claim_first(wanted)
    return ports


def environment(
    settings: Settings, foundation: Dependencies, ports: Mapping[str, int], *, interactive: bool
) -> dict[str, str]:
    """The environment of every service: the caller's, and what was decided here."""
    return {
        **({"LOG_FORMAT": "console", "FORCE_COLOR": "1"} if interactive else {}),
        **os.environ,
        "RABBITMQ_URL": foundation.rabbitmq_url,
        "DATABASE_URL": foundation.database_url,
        "DATA_DIR": str(settings.data_dir.resolve()),
        "PORT": str(ports["api"]),
        "PARSER_HEALTH_PORT": str(ports["parser"]),
        "EMBEDDER_HEALTH_PORT": str(ports["embedder"]),
    }


def host_to_ask(host: str) -> str:
    """Where a server that listens on ``host`` is asked from this machine, as it stands in a URL."""
    asked = EVERYWHERE.get(host, host)
    return f"[{asked}]" if ":" in asked else asked
