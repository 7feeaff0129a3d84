"""The page where tokens are asked for, in a real browser under its own Content-Security-Policy."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import chromium_running, complaints
from tests.support.guarded import Guarded, token


def test_a_person_signs_in_and_the_page_goes_on_by_cookie(guarded: Guarded, chromium: Path) -> None:
    guarded.owned("yan", "page-yans", "embedded"), guarded.owned("zoe", "page-zoes", "embedded")
    with chromium_running(chromium) as browser, browser.new_context() as context:
        page = context.new_page()
        heard = complaints(page)
        page.goto(guarded.system.url)

        page.get_by_label("This server asks for a token").fill("not-a-token")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#sign-in-state")).to_have_text("A valid token is needed.")
        page.get_by_label("This server asks for a token").fill(token("yan", exp=int(time.time()) + 3))
        page.get_by_role("button", name="Sign in").click()

        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("#sign-in")).to_be_hidden()
        expect(page.locator("#documents .row")).not_to_have_count(0)
        assert page.evaluate("document.cookie") == "", "no script sees it"
        expect(page.locator("#sign-in")).to_be_visible(timeout=15_000)  # the token is over
        assert heard == []


@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", "/api/v1/documents"), ("/asyncapi", "stagecast.parse")]
)
def test_what_describes_the_system_works_without_anything_from_elsewhere(
    guarded: Guarded, chromium: Path, path: str, shown: str
) -> None:
    with chromium_running(chromium) as browser, browser.new_context() as context:
        page = context.new_page()
        heard = complaints(page)
        page.goto(guarded.system.url + path)

        expect(page.get_by_text(shown, exact=True).first).to_be_visible(timeout=15_000)
        assert heard == []
