"""Gets the peers from their package managers into a directory of the bench's own; nothing is installed."""

import shutil
import subprocess
import venv
from importlib.metadata import version
from pathlib import Path

from bench.fanout.contenders import HERE, Contender, Express, Floor, Nchan, PythonPeer

FIRST_PORT = 18_400


def peers(directory: Path) -> list[Contender]:
    """The peers, fetched where they are missing."""
    python = _python(directory)
    return [
        Express("Express", FIRST_PORT, modules=str(_node_modules(directory))),
        PythonPeer(
            "sse-starlette",
            FIRST_PORT + 1,
            python=python,
            app="sse_starlette_app:app",
            burst_deliveries=400_000,
        ),
        PythonPeer(
            "fastapi.sse", FIRST_PORT + 2, python=python, app="fastapi_sse_app:app", burst_deliveries=100_000
        ),
        _nchan(directory, FIRST_PORT + 3),
        Floor("floor", FIRST_PORT + 5, program=str(_floor(directory))),
    ]


def peers_python(directory: Path) -> Path:
    """The interpreter that has the peers' libraries, and matplotlib."""
    return directory / "peers" / "bin" / "python"


def _python(directory: Path) -> str:
    python = peers_python(directory)
    if not python.exists():
        venv.create(directory / "peers", with_pip=True)
    same = [f"{name}=={version(name)}" for name in ("fastapi", "starlette", "uvicorn", "uvloop", "httptools")]
    wanted = [*same, "sse-starlette", "matplotlib"]
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
    return str(python)


def _node_modules(directory: Path) -> Path:
    modules = directory / "node" / "node_modules"
    if not (modules / "express").is_dir():
        modules.parent.mkdir(parents=True, exist_ok=True)
        (modules.parent / "package.json").write_text("{}")
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "express"],
            cwd=modules.parent,
            check=True,
        )
    return modules


def _floor(directory: Path) -> Path:
    program = directory / "floor"
    subprocess.run(["gcc", "-O2", "-o", program, HERE / "servers" / "floor.c"], check=True)
    return program


def _nchan(directory: Path, port: int) -> Nchan:
    root = directory / "nchan"
    program = root / "usr/sbin/nginx"
    if not program.exists():
        packages = directory / "deb"
        packages.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", "nginx", "libnginx-mod-nchan"], cwd=packages, check=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
    # Compiled in; it is made whatever the configuration says.
    Path("/var/lib/nginx").mkdir(parents=True, exist_ok=True)
    run = directory / "nginx"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    run.chmod(0o777)
    configuration = run / "nginx.conf"
    template = (HERE / "servers" / "nginx.conf").read_text()
    configuration.write_text(
        template.format(modules=root / "usr/lib/nginx/modules", directory=run, port=port)
    )
    return Nchan("nchan", port, program=str(program), configuration=str(configuration))
