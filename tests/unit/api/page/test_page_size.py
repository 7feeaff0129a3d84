"""The page is small, and shows itself at once."""

import hashlib
import re

from playwright.sync_api import Page

from services.api.routes.page_routes import PAGE
from tests.support.fakes.api import Running

MOST_SCRIPT = 100_000
FIRST_PAINT_MS = 1000
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


SCRIPTS = """performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"))
    .map(({ name, decodedBodySize }) => [name, decodedBodySize])"""


def test_the_scripts_that_are_fetched_are_at_most_a_hundred_kilobytes_before_compression(page: Page) -> None:
    fetched = dict(page.evaluate(SCRIPTS))

    assert len(fetched) > 20
    assert sum(fetched.values()) <= MOST_SCRIPT


def test_what_comes_from_elsewhere_is_what_its_list_says() -> None:
    listed = dict(
        re.findall(r"`(\w+\.js)` \|.*\| `([0-9a-f]{64})`", (PAGE / "vendor" / "README.md").read_text())
    )

    assert {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in PAGE.glob("vendor/*.js")
    } == listed


def test_the_first_paint_comes_within_a_second(page: Page, fake: Running) -> None:
    def painted() -> float:
        page.reload()
        page.wait_for_function(f"{PAINTED} !== null")
        return float(page.evaluate(PAINTED))

    # Of several, since another process may have had the processor.
    assert min(painted() for _ in range(4)) <= FIRST_PAINT_MS
