"""How the code stands: which room may know which, who writes which table, and how large a piece may be."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from contracts import stages

ROOT = Path(__file__).parents[3]
PRODUCT = ("contracts", "services", "cli", "local")
CLIENT = ROOT / "clients" / "python" / "src"
MOST_FILES = 14
MOST_LINES_OF_A_FUNCTION = 40
MOST_LINES_OF_A_FILE = 250
TABLES = (
    "documents", "attempts", "chunks", "passages", "embeddings", "vectors", "unused_vectors", "embedded_batches",
)  # fmt: skip
SAME_NAME_MAY_STAND_TWICE = {"app.py", "__init__.py", "__main__.py"}


@cache
def modules() -> dict[str, ast.Module]:
    """The parsed modules of the product by their dotted names."""
    paths = [(path, ROOT) for room in PRODUCT for path in sorted((ROOT / room).rglob("*.py"))]
    paths += [(path, CLIENT) for path in sorted(CLIENT.rglob("*.py"))]
    return {dotted(path, root): ast.parse(path.read_text()) for path, root in paths}


def dotted(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported(name: str) -> set[str]:
    """The modules that a module imports, wherever in it: at its head, under TYPE_CHECKING, in a function."""
    found: set[str] = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {one for one in found if one in modules()} - {name}


def circles() -> Iterator[list[str]]:
    """Modules that import each other in a loop, types included."""
    done: set[str] = set()
    for start in modules():
        path: list[str] = []
        yield from _walk(start, path, done)


def _walk(name: str, path: list[str], done: set[str]) -> Iterator[list[str]]:
    if name in path:
        yield path[path.index(name) :]
        return
    if name in done:
        return
    path.append(name)
    for following in sorted(_without_own_package(name)):
        yield from _walk(following, path, done)
    path.pop()
    done.add(name)


def _without_own_package(name: str) -> set[str]:
    """A package that only hands names on is no link of a circle with what it hands on."""
    return {one for one in imported(name) if not name.startswith(f"{one}.")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert list(circles()) == []


def test_no_service_imports_the_developers_tools_or_the_command() -> None:
    outside = {
        (name, one)
        for name in modules()
        if name.startswith(("services", "contracts"))
        for one in imported(name)
        if one.startswith(("local", "cli", "stagecast_client"))
    }
    assert outside == set()


def test_the_runtime_and_the_contracts_know_no_service_that_stands_on_them() -> None:
    above = {
        (name, one)
        for name in modules()
        if name.startswith(("services.runtime", "services.lifecycle", "contracts"))
        for one in imported(name)
        if one.startswith(("services.api", "services.parser", "services.embedder"))
    }
    assert above == set()


def test_each_of_the_stages_tables_is_written_by_its_statements_alone() -> None:
    writers = {table: sorted(_writers(table)) for table in TABLES}
    attempts, batches, documents, lost_log, turns, vectors = (
        f"services.lifecycle.{name}_statements"
        for name in ("attempt", "batch", "document", "lost_log", "turn", "vector")
    )
    assert writers == {
        "documents": [documents, lost_log, turns],
        "attempts": [attempts, batches],
        "chunks": [attempts],
        "passages": [attempts],
        "embeddings": [batches, vectors],
        "vectors": [batches, vectors],
        "unused_vectors": [vectors],
        "embedded_batches": [batches],
    }


def _writers(table: str) -> Iterator[str]:
    by_sql = rf"(?:INSERT INTO|UPDATE|DELETE FROM) {table}\b"
    by_core = rf"\b(?:insert|upsert|update|delete)\(\s*{table}\s*\)|\b{table}\.(?:insert|update|delete)\("
    for name in modules():
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if (
            path.exists()
            and ".migrations." not in name
            and re.search(f"{by_sql}|{by_core}", path.read_text())
        ):
            yield name


def test_the_api_knows_no_stage_by_its_name() -> None:
    # Search has its queries embedded by the embedder, which is no stage of a document.
    names = {spec.name for spec in stages.STAGES} | {spec.service for spec in stages.STAGES}
    spoken = {
        (name, node.value)
        for name, tree in modules().items()
        if name.startswith("services.api") and name != "services.api.search.query_embedder"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    }
    assert spoken == set()


def test_a_basename_below_services_stands_for_one_thing() -> None:
    names = Counter(path.name for path in (ROOT / "services").rglob("*.py") if "versions" not in path.parts)
    assert [
        name for name, count in names.items() if count > 1 and name not in SAME_NAME_MAY_STAND_TWICE
    ] == []


def test_no_room_has_more_files_than_can_be_looked_over() -> None:
    rooms = Counter(
        path.parent for room in PRODUCT for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"
    )
    # Of migrations there is one more with each change, and nobody looks for one but by its number.
    looked_over = {room: count for room, count in rooms.items() if room.name != "versions"}
    crowded = {
        str(room.relative_to(ROOT)): count for room, count in looked_over.items() if count > MOST_FILES
    }
    assert crowded == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name}.{node.name}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
        and ".versions." not in name
    ]
    assert long == []


@pytest.mark.parametrize("room", PRODUCT)
def test_no_file_is_too_long_to_be_read_at_once(room: str) -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in (ROOT / room).rglob("*.py")
        if len(path.read_text().splitlines()) > MOST_LINES_OF_A_FILE
    ]
    assert long == []


def test_an_installation_carries_every_room() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    rooms = {dotted(path, ROOT) for room in PRODUCT for path in (ROOT / room).rglob("__init__.py")}
    assert [room for room in sorted(rooms) if not any(fnmatch(room, pattern) for pattern in patterns)] == []
