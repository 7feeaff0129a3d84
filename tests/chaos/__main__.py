"""The long run: ``python -m tests.chaos [SECONDS] [SEED]``; ends with status 1 when anything was lost."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.full_disk import FullDisk
from tests.chaos.run import Chaos
from tests.support.small_file_system import MayNotMount


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=180)
    parser.add_argument("seed", type=int, nargs="?", default=secrets.randbelow(1_000_000))
    parser.add_argument("--real-model", action="store_true", help="embedders that take seconds to start")
    parser.add_argument(
        "--cut-rate", type=float, default=0.0, help="0.01: each hundredth connection, and piece"
    )
    parser.add_argument(
        "--fills", type=int, default=20, help="times that the disk is full, as root; 0: never"
    )
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="stagecast-chaos-"))
    print(f"seed {asked.seed}; logs in {directory}", flush=True)  # noqa: T201 - the figures
    verdict = Chaos(
        directory,
        asked.seed,
        asked.seconds,
        workers=2,
        real_model=asked.real_model,
        by_command=True,
        cut_rate=asked.cut_rate,
    ).run()
    print(verdict, flush=True)  # noqa: T201 - the figures
    sys.exit(1 if verdict.wrong or not disk_is_survived(directory / "full", asked.seed, asked.fills) else 0)


def disk_is_survived(directory: Path, seed: int, fills: int) -> bool:
    """Fill a small disk so often under the system of ``make up``; True where nothing is wrong afterwards."""
    if not fills:
        return True
    try:
        verdict = FullDisk(directory, seed, fills).run()
    except MayNotMount as reason:
        print(f"left out: the full disk ({reason})")  # noqa: T201 - the figures
        return True
    print(verdict)  # noqa: T201 - the figures
    return not verdict.wrong


if __name__ == "__main__":
    main()
