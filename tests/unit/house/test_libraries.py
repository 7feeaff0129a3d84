"""Each service's image has the libraries that its process imports: pyproject.toml lists them by service."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = {"services", "contracts"}


def imports_of(path: Path) -> Iterator[str]:
    """The modules that are imported when a file is, but not what its functions import when they are called."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def imported_by(module: str) -> set[str]:
    """The libraries that a module of ours imports, and all of ours that it imports."""
    seen, waiting, libraries = set(), [module], set()
    while waiting:
        path = file_of(waiting.pop())
        if path is None or path in seen:
            continue
        seen.add(path)
        for name in imports_of(path):
            top = name.partition(".")[0]
            if top in OURS:
                waiting.append(name)
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    return libraries


def name_in(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@cache
def needs(distribution: str) -> frozenset[str]:
    try:
        wanted = [one for one in requires(distribution) or [] if "extra ==" not in one]
    except PackageNotFoundError:  # of another system, or an older Python
        return frozenset()
    return frozenset(map(name_in, wanted))


def installed_with(requirements: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = [name_in(requirement) for requirement in requirements]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs(name)
    return found


@pytest.mark.parametrize("service", ["api", "parser", "embedder"])
def test_what_a_service_imports_is_in_its_image(service: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    there = installed_with([*project["dependencies"], *project["optional-dependencies"][service]])
    carried_by = packages_distributions()
    missing = {
        library
        for library in imported_by(f"services.{service}.__main__")
        if not {name_in(one) for one in carried_by.get(library, [library])} & there
    }
    assert missing == set()
