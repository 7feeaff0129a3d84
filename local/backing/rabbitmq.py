"""A private RabbitMQ node inside DATA_DIR, from Debian's packages, with the management UI.

It never listens on 5672: a broker found on localhost:5672 is therefore one that the person runs on purpose,
and never the private node of another copy, whose queues we would share without a word.
"""

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from local.backing.broker_search import speaks_amqp
from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess, last_lines
from local.processes.ports import LAST_PORT, claim, claim_first, release
from local.processes.spawn import spawn

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The one on the PATH insists on the user ``rabbitmq``."""
CONTROL = SERVER.with_name("rabbitmqctl")

NODE = "stagecast@localhost"

PLUGINS = ("rabbitmq_management", "rabbitmq_shovel", "rabbitmq_shovel_management")
"""The shovel is what moves dead letters back from the management UI."""

FIRST_PORT = 5680
DISK_FREE_LIMIT = 50_000_000
"""Bytes, RabbitMQ's own default: with less free on its disk the node takes no messages."""
QUIET = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Schedulers that sleep when idle, rather than spin on a core that the workers need."""


CONFIGURATION = """[
  {rabbit, [{loopback_users, []}, {disk_free_limit, %d},
            {log, [{console, [{enabled, false}]}, {file, [{level, info}]}]}]},
  {rabbitmq_management, [{tcp_config, [{ip, "127.0.0.1"}, {port, %d}]}]}
].
"""


def installed() -> bool:
    """Return whether a private node can be run here."""
    return SERVER.exists()


def running_url(directory: Path) -> str | None:
    """Return the default virtual host of the node that runs in a directory, for who has not started it."""
    record = directory / "ports.json"
    if not record.is_file():
        return None
    port = NodePorts(**json.loads(record.read_text())).amqp
    return f"amqp://guest:guest@127.0.0.1:{port}/" if speaks_amqp("127.0.0.1", port) else None


@dataclass(frozen=True)
class NodePorts:
    """The ports of one node, all on loopback."""

    amqp: int
    management: int
    distribution: int
    epmd: int

    @classmethod
    def choose(cls) -> "NodePorts":
        """Claim free ones; the management UI is where people look for it, 10,000 above AMQP."""
        for amqp in range(FIRST_PORT, LAST_PORT - 20_000):
            if claim(amqp):
                if claim(amqp + 10_000):
                    return cls(amqp, amqp + 10_000, claim_first(amqp + 20_000), claim_first(amqp - 1_300))
                release(amqp)
        raise StartFailed("No ports for a private RabbitMQ are free: set RABBITMQ_URL.")

    def claim_again(self) -> bool:
        """Claim all of them; false, and none is claimed, when one is not free."""
        claimed = [port for port in asdict(self).values() if claim(port)]
        if len(claimed) == len(asdict(self)):
            return True
        for port in claimed:
            release(port)
        return False

    def release(self) -> None:
        """Give all of them up."""
        for port in asdict(self).values():
            release(port)


class PrivateBroker(ManagedProcess):
    """A RabbitMQ node of our own, with user guest; what it keeps is in ``directory``.

    Ports are remembered there, so that a restart keeps its addresses when they are still free. With less than
    ``disk_free_limit`` bytes free on its disk it takes no messages.
    """

    grace_seconds = 30.0
    expendable = False
    needs_room = True

    def __init__(
        self, directory: Path, *, keep_open: tuple[int, ...] = (), disk_free_limit: int = DISK_FREE_LIMIT
    ) -> None:
        super().__init__("broker")
        self._disk_free_limit = disk_free_limit
        self.directory = directory.resolve()
        self._keep_open = keep_open
        self._epmd: subprocess.Popen[bytes] | None = None
        self.ports = self._choose_ports()

    @property
    def url(self) -> str:
        """Its default virtual host."""
        return self.url_of("")

    def url_of(self, vhost: str) -> str:
        """Return the URL of a virtual host of it; empty for the default one."""
        return f"amqp://guest:guest@127.0.0.1:{self.ports.amqp}/{vhost}"

    @property
    def management_url(self) -> str:
        """The management UI, user and password guest."""
        return f"http://127.0.0.1:{self.ports.management}/"

    def ready(self) -> bool:
        """Return whether it speaks AMQP; it listens last of all when it starts."""
        return speaks_amqp("127.0.0.1", self.ports.amqp)

    def kill(self) -> None:
        """SIGKILL what is left of the node, and its port mapper; what was confirmed is on disk."""
        super().kill()
        self._end_epmd()

    def control(self, *arguments: str) -> None:
        """Run ``rabbitmqctl`` on the node; raises CalledProcessError."""
        subprocess.run([CONTROL, *arguments], env=self._environment(), check=True, capture_output=True)

    def evaluate(self, expression: str, within: float = 30.0) -> str:
        """Return the value of an Erlang expression on the node, as text; raises SubprocessError or OSError.

        So it does when it takes longer than ``within`` seconds. By Erlang's own small program, which takes
        milliseconds: ``rabbitmqctl eval`` starts a node first, and takes up to six seconds on a busy machine.
        """
        command = [shutil.which("erl_call") or "/usr/bin/erl_call", "-r", "-n", NODE, "-e"]
        done = subprocess.run(
            command, input=f"{expression}\n".encode(), env=self._environment(), check=True, capture_output=True,
            timeout=within,
        )  # fmt: skip
        answer = done.stdout.decode().strip()
        if not (answer.startswith("{ok, ") and answer.endswith("}")):
            raise subprocess.CalledProcessError(1, command, answer)
        return answer.removeprefix("{ok, ").removesuffix("}")

    def why_not(self) -> str:
        """Return a sentence, and what the node wrote last."""
        log = self.directory / "start.log"
        return f"{super().why_not()} The end of {log}:\n{last_lines(log)}"

    def _choose_ports(self) -> NodePorts:
        record = self.directory / "ports.json"
        if record.is_file():
            remembered = NodePorts(**json.loads(record.read_text()))
            if remembered.claim_again():
                return remembered
        chosen = NodePorts.choose()
        self.directory.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(asdict(chosen)))
        return chosen

    def remember_ports(self) -> None:
        """Write the ports down, so that the next start in the directory has the same addresses."""
        (self.directory / "ports.json").write_text(json.dumps(asdict(self.ports)))

    def _launch(self) -> subprocess.Popen[bytes]:
        self._end_epmd()
        env = self._environment()
        self._write_configuration()
        with (self.directory / "start.log").open("wb") as log:
            # Without its own port mapper the node would start a daemon that nobody stops.
            mapper = shutil.which("epmd") or "/usr/bin/epmd"
            command = [mapper, "-address", "127.0.0.1", "-port", str(self.ports.epmd)]
            self._epmd = spawn(command, env=env, output=log)
            # In its own directory, where it leaves what it dumps when it crashes.
            return spawn(
                [SERVER, "-noinput"], env=env, output=log, keep_open=self._keep_open, cwd=self.directory
            )

    def _end_epmd(self) -> None:
        if self._epmd:
            self._epmd.kill()
            self._epmd.wait()

    def _write_configuration(self) -> None:
        # All of it in Erlang's own terms: translating a rabbitmq.conf would double the time of a start.
        (self.directory / "advanced.config").write_text(
            CONFIGURATION % (self._disk_free_limit, self.ports.management)
        )
        (self.directory / "enabled_plugins").write_text(f"[{','.join(PLUGINS)}].\n")

    def _environment(self) -> dict[str, str]:
        at = self.directory
        return {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(at),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",  # then the script execs, and the process we know is the node
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.ports.amqp),
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
            "RABBITMQ_LOG_BASE": str(at / "log"),
            "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(at / "conf.d" / "*.conf"),  # not those of the machine's own broker
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "config"),
            "RABBITMQ_PID_FILE": str(at / "pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{127,0,0,1}} {QUIET}",
        }
