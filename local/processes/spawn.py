"""Child processes that don't outlive us, and their end."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Account:
    """The user and group ids that a process runs as."""

    user: int
    group: int


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[bytes] | int,
    dies_by: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
    cwd: Path | None = None,
    keep_open: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches us alone and we stop it in order.

    The kernel sends it ``dies_by`` when our main thread ends, however that happens; so call this from the
    main thread. ``keep_open`` are file descriptors that it inherits.
    """
    return subprocess.Popen(
        [*_tether(dies_by), *map(str, command)],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=tuple(keep_open),
        # A shell's ignored SIGINT (nohup, a job in the background) must not reach PostgreSQL or the services.
        restore_signals=True,
        user=account.user if account else None,
        group=account.group if account else None,
        extra_groups=[] if account else None,
    )


def _tether(dies_by: signal.Signals) -> list[str]:
    setpriv = shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}:/usr/bin")
    return [setpriv, f"--pdeathsig={dies_by.name.removeprefix('SIG')}", "--"] if setpriv else []


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process and what it has started, also when it is dead and its children are not."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def describe_exit(code: int) -> str:
    """Describe the end of a process as a person would: ``by SIGKILL`` or ``with status 1``."""
    if code >= 0:
        return f"with status {code}"
    with suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"
