"""The account that PostgreSQL runs as when we are root, which it refuses to be."""

import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from local.failures import StartFailed
from local.processes.spawn import Account

NAME = "stagecast"


def account_for_root() -> Account:
    """Return the account, made when it is missing. Raises StartFailed when it can't be made."""
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is None:
            raise StartFailed(
                f"PostgreSQL can't run as root: add a user {NAME}, run as another user, or set DATABASE_URL."
            ) from None
        shell = "/usr/sbin/nologin"
        subprocess.run([useradd, "--system", "--no-create-home", "--shell", shell, NAME], check=True)
        entry = pwd.getpwnam(NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def let_through(account: Account, target: Path) -> None:
    """Let the account pass through the directories above the target (pass, not list what is in them)."""
    for directory in target.resolve().parents:
        status = directory.stat()
        if status.st_uid != account.user and not status.st_mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
