"""The long run: ``python -m tests.chaos [SECONDS] [SEED]``; ends with status 1 when anything was lost."""

import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Chaos


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1_000_000)
    directory = Path(tempfile.mkdtemp(prefix="stagecast-chaos-"))
    print(f"seed {seed}; logs in {directory}", flush=True)  # noqa: T201
    verdict = Chaos(directory, seed, seconds, workers=2).run()
    print(verdict)  # noqa: T201
    sys.exit(1 if verdict.wrong else 0)


if __name__ == "__main__":
    main()
