"""What the pages name is there: files, tests, and what their links lead to."""

import re
from pathlib import Path

import pytest

from services.runtime.kinds import KINDS, spoken

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAPS = [page for page in PAGES if page.name not in {"CHANGELOG.md", "page.md"}]
"""Of these every path in backticks counts: complete, or below a folder that its row, item or paragraph names. A
changelog tells of what was, and ``page.md`` names its one folder once."""

QUOTED = re.compile(r"`([^`\s]+)`")
BLOCK = re.compile(r"\n(?=\n|\| |- |\d+\. )")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^):]*)?\)")
FILE = re.compile(r"[\w.<>*/-]+\.(?:css|html|ini|js|json|md|py|sh|svg|toml|yaml)")
TOP = {path.name for path in ROOT.iterdir()} - {"data", ".venv"}
TESTS = set(
    re.findall(r"def (test_\w+)", "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py")))
)


def by_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def is_path(quoted: str) -> bool:
    if quoted.startswith(("/", "./")):
        return False
    return quoted.split("/")[0] in TOP or FILE.fullmatch(quoted) is not None


def missing_paths(block: str) -> list[str]:
    folders, missing = [ROOT], list[str]()
    for path in filter(is_path, QUOTED.findall(block)):
        pattern = re.sub(r"<[^>]*>", "*", path).rstrip("/")
        found = [one for folder in folders for one in folder.glob(pattern)]
        folders += filter(Path.is_dir, found)
        missing += [] if found else [path]
    return missing


@pytest.mark.parametrize("page", MAPS, ids=by_name)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    assert [path for block in BLOCK.split(page.read_text()) for path in missing_paths(block)] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if not link.startswith("http")]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`(test_[\w…]+)`", page.read_text())
    assert [
        one for one in named if not any(re.fullmatch(one.replace("…", r"\w*"), test) for test in TESTS)
    ] == []


def test_the_page_and_the_readme_name_each_kind_that_is_read() -> None:
    words, readme = ((ROOT / path).read_text() for path in ("services/api/page/parts/words.js", "README.md"))
    [listed] = re.findall(r'ACCEPTED =\s+"([^"]*)"', words)
    accepted = {one for one in listed.split(",") if one.startswith(".")}
    assert accepted == {ending for kind in KINDS for ending in kind.endings}
    assert spoken() in words
    for kind in KINDS:
        assert f'"{kind.media_type}": "{kind.name}"' in words
        assert f"| {kind.name} | {' '.join(f'`{ending}`' for ending in kind.endings)} |" in readme
