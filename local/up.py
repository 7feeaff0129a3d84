"""``make up`` without containers: broker, database and the three services in one terminal."""

import os
import sys
import time

from local.backing.data_dir import OTHERS, DataDir
from local.dependencies import Dependencies, find_dependencies, without_password
from local.environment import read_environment
from local.failures import StartFailed
from local.local_settings import LocalSettings
from local.make import make_was_told_to_stop
from local.processes.service import Service
from local.processes.supervisor import Interrupted, Supervisor
from local.services import build_services
from local.terminal import Terminal
from services.runtime.process.disk_reserve import disk_reserve

INTERRUPTED = 130


def main(package: str = "services") -> int:
    """Run the whole system until Ctrl-C; return the exit status. ``package`` holds the services' modules."""
    read_environment()
    settings = LocalSettings.read()
    terminal = Terminal(list(settings.services))
    os.umask(OTHERS)
    try:
        directory = DataDir(settings.api.data_dir).acquire()
        dependencies = find_dependencies(settings.up, directory)
        services = build_services(settings, dependencies, terminal, package)
    except StartFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    terminal.say(dependencies.sentence)
    layers = [dependencies.processes, services]
    shortage = disk_reserve(settings.api).look
    supervisor = Supervisor(layers, terminal.say, make_was_told_to_stop, shortage)
    return supervise(supervisor, terminal, addresses(services[0], dependencies, directory))


def supervise(supervisor: Supervisor, terminal: Terminal, rows: list[tuple[str, str]]) -> int:
    """Start, look after and stop the processes; return the exit status of the whole command."""
    supervisor.install_signal_handlers()
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


def addresses(api: Service, dependencies: Dependencies, directory: DataDir) -> list[tuple[str, str]]:
    """Return what can be opened and where, for the person at the terminal."""
    root = api.ready_url.removesuffix("readyz")
    rows = [("Control panel", root), ("API", f"{root}docs")]
    if dependencies.management_url:
        rows.append(("RabbitMQ", f"{dependencies.management_url} (guest, guest)"))
    return [*rows, ("AMQP", without_password(dependencies.rabbitmq_url)), ("Data", str(directory.path))]
