"""axe-core finds nothing wrong with any view of the page, in light, in dark and on a phone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from contracts.statuses import Status
from tests.e2e.browser import drop, expect_state, row
from tests.support.fakes.api import Running

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
VIOLATIONS = """async () => (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)"""


@pytest.fixture(scope="module")
def axe(npm_clients: Path) -> str:
    """The program text of axe-core."""
    return (npm_clients / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate(VIOLATIONS)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_no_view_has_a_fault_that_axe_knows(browser: Browser, fake: Running, axe: str, look: str) -> None:
    fake.api.pipeline = {
        "stages": [{"stage": "parse", "workers": 1, "lanes": [{"lane": "first", "waiting": 1}]}],
        "deadLetters": 0,
    }
    with browser.new_context(reduced_motion="reduce", **LOOKS[look]) as context:
        page = context.new_page()
        page.goto(fake.url)
        expect_state(page, "live")
        found = {"empty": violations(page, axe)}
        drop(page, {"name": "done.txt", "mimeType": "text/plain", "buffer": b"Done and found."})
        drop(page, {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF FAIL"})
        expect(row(page, "done.txt")).to_have_attribute("data-status", "embedded")
        expect(row(page, "scan.pdf")).to_have_attribute("data-status", "failed")
        fake.loop_calls(lambda: fake.api.documents.add("doc-1", "waits.pdf", b"x").update(attempt=1))
        fake.report("doc-1", Status.PARSING, pagesDone=1, pageCount=3)
        page.get_by_label("Choose done.txt").click()
        expect(row(page, "waits.pdf")).to_be_visible()
        found["documents"] = violations(page, axe)
        row(page, "done.txt").get_by_role("link").click()
        expect(page.locator(".chunks li")).to_have_count(1)
        found["document"] = violations(page, axe)
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Search").click()
        page.locator("#query").fill("done")
        page.locator("#query").press("Enter")
        expect(page.locator("#results mark")).to_have_count(1)
        found["search"] = violations(page, axe)
        page.get_by_role("link", name="Pipeline").click()
        expect(page.locator(".pipeline tbody tr")).to_have_count(1)
        found["pipeline"] = violations(page, axe)

        assert {view: faults for view, faults in found.items() if faults} == {}
