"""``make up`` without containers: broker, database and the three services in one terminal."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from local import rabbitmq
from local.broker_search import usual_broker
from local.data_dir import DataDir
from local.environment import read_environment
from local.failures import StartFailed
from local.part import Part
from local.ports import claim_first, claim_given
from local.postgres import EmbeddedPostgres
from local.rabbitmq import PrivateBroker
from local.service import Service, module_command
from local.supervisor import Interrupted, Supervisor
from local.terminal import Terminal
from services.runtime.settings import Settings

LOOPBACK = "127.0.0.1"
SERVICES = ("api", "parser", "embedder")


@dataclass(frozen=True)
class Foundation:
    """What the services stand on: addresses, and the parts that are ours to run."""

    rabbitmq_url: str
    database_url: str
    management_url: str | None
    parts: tuple[Part, ...]

    @property
    def sentences(self) -> list[str]:
        """What was decided, for the person at the terminal."""
        names = [part.name for part in self.parts]
        broker = (
            "a private RabbitMQ"
            if "broker" in names
            else f"RabbitMQ at {without_password(self.rabbitmq_url)}"
        )
        store = (
            "a private PostgreSQL"
            if "database" in names
            else f"PostgreSQL at {without_password(self.database_url)}"
        )
        return [f"starting with {broker} and {store}"]


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()


def lay_foundation(settings: Settings, directory: DataDir) -> Foundation:
    """Decide where broker and database come from. Raises StartFailed when there can be no broker."""
    parts: list[Part] = []
    management: str | None = None
    broker_url = settings.rabbitmq_url if "rabbitmq_url" in settings.model_fields_set else usual_broker()
    if broker_url is None:
        if not rabbitmq.installed():
            raise StartFailed(
                "There is no RabbitMQ: run `make setup`, install rabbitmq-server, or set RABBITMQ_URL."
            )
        broker = PrivateBroker(directory.path / "rabbitmq", keep_open=(directory.lock,))
        parts.append(broker)
        broker_url, management = broker.url, broker.management_url
    database_url = settings.database_url
    if database_url is None:
        database = EmbeddedPostgres(directory.path / "postgres", keep_open=(directory.lock,))
        parts.append(database)
        database_url = database.url
    return Foundation(broker_url, database_url, management, tuple(parts))


def services(settings: Settings, foundation: Foundation, terminal: Terminal) -> list[Service]:
    """The three services, with their ports claimed. Raises StartFailed when a port asked for is taken."""
    host, given = settings.host, settings.model_fields_set
    ports = {"api": claim_given(settings.port, host, "PORT")}
    for name, wanted in (
        ("parser", settings.parser_health_port),
        ("embedder", settings.embedder_health_port),
    ):
        setting = f"{name}_health_port"
        chosen = claim_given(wanted, LOOPBACK, setting.upper()) if setting in given else claim_first(wanted)
        ports[name] = chosen
    env = service_environment(settings, foundation, ports, interactive=terminal.interactive)
    hosts = {"api": host_to_ask(host), "parser": LOOPBACK, "embedder": LOOPBACK}
    return [
        Service(
            name,
            module_command(f"services.{name}"),
            env,
            f"http://{hosts[name]}:{ports[name]}/readyz",
            terminal.line,
        )
        for name in SERVICES
    ]


def service_environment(
    settings: Settings, foundation: Foundation, ports: Mapping[str, int], *, interactive: bool
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
    asked = {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(host, host)  # noqa: S104 - told apart, not used
    return f"[{asked}]" if ":" in asked else asked


def addresses(api: Service, foundation: Foundation, directory: DataDir) -> list[tuple[str, str]]:
    """What to open, for the person at the terminal."""
    root = api.ready_url.removesuffix("readyz")
    rows = [("Control panel", root), ("API", f"{root}docs")]
    if foundation.management_url:
        rows.append(("RabbitMQ", f"{foundation.management_url} (guest, guest)"))
    rows += [("AMQP", without_password(foundation.rabbitmq_url)), ("Data", str(directory.path))]
    return rows


def supervise(supervisor: Supervisor, terminal: Terminal, rows: Sequence[tuple[str, str]]) -> int:
    """Start, look after and stop the parts; the exit status of the whole command."""
    supervisor.heed_signals()
    began = time.monotonic()
    try:
        supervisor.start()
        terminal.announce(f"Stagecast is up after {time.monotonic() - began:.1f} s; Ctrl-C stops it", rows)
        supervisor.run()
    except Interrupted:
        pass
    except StartFailed as failure:
        terminal.say(str(failure))
        return 1
    finally:
        terminal.say("stopping")
        supervisor.stop()
        terminal.say("stopped; nothing is left running")
    return 0


def main() -> int:
    """Run the whole system until Ctrl-C; the exit status."""
    read_environment()
    settings = Settings.read()
    terminal = Terminal(SERVICES)
    try:
        directory = DataDir(settings.data_dir).acquire()
        foundation = lay_foundation(settings, directory)
        ours = services(settings, foundation, terminal)
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    for sentence in foundation.sentences:
        terminal.say(sentence)
    layers = [foundation.parts, ours]
    return supervise(Supervisor(layers, terminal.say), terminal, addresses(ours[0], foundation, directory))
