"""The control panel on the whole running system, in a real browser."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import chromium_running, drop, live_page, row
from tests.support.documents import pdf, scanned_pdf

PATIENCE_MS = 90_000
OTHER_PAGES = [
    f"Page {number} tells of waves. " + "The sea is described at length. " * 12 for number in range(60)
]
"""So many that the page has time to show what passes."""


class System(Protocol):
    """What the fixture ``system`` gives."""

    @property
    def url(self) -> str: ...

    @property
    def api_key(self) -> str: ...


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with chromium_running(chromium) as running:
        yield running


@pytest.fixture
def page(browser: Browser, system: System) -> Iterator[Page]:
    with live_page(browser, system.url) as page:
        yield page


WATCH_BADGES = """
() => {
  window.badges = [];
  const note = () => {
    for (const badge of document.querySelectorAll(".row .badge")) {
      const name = badge.closest(".row").querySelector(".name").textContent;
      const seen = `${name}: ${badge.textContent}`;
      if (!window.badges.includes(seen)) window.badges.push(seen);
    }
  };
  new MutationObserver(note).observe(document.querySelector("#app"),
    { childList: true, subtree: true, characterData: true });
}
"""


def test_a_pdf_dropped_on_the_page_passes_its_stages_and_is_found(page: Page) -> None:
    word = secrets.token_hex(4)
    name = f"lighthouse-{word}.pdf"
    sentence = f"The keeper {word} oils the great lamp of the lighthouse every evening."
    page.evaluate(WATCH_BADGES)

    drop(page, {"name": name, "mimeType": "application/pdf", "buffer": pdf(sentence, *OTHER_PAGES)})

    expect(row(page, name)).to_have_attribute("data-status", "embedded", timeout=PATIENCE_MS)
    for stage in ("parsing", "embedding"):
        bar = row(page, name).locator(f'[data-stage="{stage}"]')
        expect(bar).to_have_attribute("data-state", "done")
    passed = [seen for seen in page.evaluate("window.badges") if seen.startswith(f"{name}: ")]
    assert passed[-1] == f"{name}: Embedded"
    assert len(passed) > 1, "no stage before the last was ever shown"

    page.get_by_role("link", name="Search").click()
    page.get_by_label("What are you looking for?").fill(sentence)
    page.get_by_role("button", name="Search").click()

    expect(page.locator("#results .card").first).to_contain_text(name)
    expect(page.locator("#results .card").first).to_contain_text("page")


def test_a_document_that_fails_shows_its_sentence_and_code(page: Page) -> None:
    name = f"scan-{secrets.token_hex(4)}.pdf"
    # Readers pass over what follows the end; with it the bytes are new to the system.
    scan = scanned_pdf() + f"% {name}\n".encode()

    drop(page, {"name": name, "mimeType": "application/pdf", "buffer": scan})

    expect(row(page, name)).to_have_attribute("data-status", "failed", timeout=PATIENCE_MS)
    expect(row(page, name).locator(".failure code")).to_have_text("no_text_layer")


def test_a_picture_named_pdf_is_refused_with_a_sentence(page: Page) -> None:
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"

    drop(page, {"name": "holiday.pdf", "mimeType": "application/pdf", "buffer": picture})

    line = page.locator("#uploads li.failure", has_text="holiday.pdf")
    expect(line).to_be_visible(timeout=PATIENCE_MS)
    line.get_by_role("button").click()
    expect(line).to_have_count(0)


def test_a_status_from_an_external_producer_appears(page: Page, system: System) -> None:
    document = f"invoice-{secrets.token_hex(4)}"

    httpx.post(
        f"{system.url}/api/v1/events/webhook/document-processing",
        json={"documentId": document, "status": "embedded", "message": "Done elsewhere."},
        headers={"X-Webhook-Key": system.api_key},
    ).raise_for_status()

    expect(row(page, document)).to_have_attribute("data-status", "embedded")


def test_a_deleted_document_leaves_the_list(page: Page) -> None:
    name = f"short-lived-{secrets.token_hex(4)}.txt"
    drop(page, {"name": name, "mimeType": "text/plain", "buffer": f"Soon gone: {name}".encode()})
    expect(row(page, name)).to_have_attribute("data-status", "embedded", timeout=PATIENCE_MS)

    row(page, name).get_by_role("button", name=f"Delete {name}").click()

    expect(row(page, name)).to_have_count(0)
    page.reload()  # whoever leaves does not take it back
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(row(page, name)).to_have_count(0)


def test_an_opened_document_shows_its_text(page: Page) -> None:
    name = f"opened-{secrets.token_hex(4)}.txt"
    drop(page, {"name": name, "mimeType": "text/plain", "buffer": f"The text of {name}.".encode()})
    expect(row(page, name)).to_have_attribute("data-status", "embedded", timeout=PATIENCE_MS)

    row(page, name).get_by_role("link").click()

    expect(page.get_by_role("dialog").locator(".chunks")).to_contain_text(f"The text of {name}.")
