"""Chromium, as the tests of the page drive it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Locator, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # the real system embeds meanwhile, on two busy cores

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Without these three it looks for hosts of its maker at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

DROP = """
([files, target]) => {
  const carried = new DataTransfer();
  for (const { name, type, bytes } of files) {
    carried.items.add(new File([Uint8Array.from(bytes)], name, { type }));
  }
  const at = document.querySelector(target);
  for (const kind of ["dragenter", "dragover", "drop"]) {
    at.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
  }
}
"""


@contextmanager
def chromium_running(program: Path) -> Iterator[Browser]:
    """A browser, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def live_page(browser: Browser, url: str) -> Iterator[Page]:
    """The control panel, live; whatever goes wrong inside it fails the test."""
    with browser.new_context() as context:
        page = context.new_page()
        heard = complaints(page)
        page.goto(url)
        expect_state(page, "live")
        yield page
        assert heard == []


def expect_state(page: Page, state: str) -> None:
    """Await a state of the connection: ``connecting``, ``live`` or ``reconnecting``."""
    expect(page.locator("#connection")).to_have_attribute("data-state", state)


def row(page: Page, name: str) -> Locator:
    """The row of a document in the list."""
    return page.locator("#documents .row", has_text=name)


def drop(page: Page, *files: FilePayload, target: str = "#drop") -> None:
    """Drop files onto the page, as a hand would."""
    carried = [
        {"name": file["name"], "type": file["mimeType"], "bytes": list(file["buffer"])} for file in files
    ]
    page.evaluate(DROP, [carried, target])


def complaints(page: Page) -> list[str]:
    """Collect what goes wrong in the page from now on: exceptions, and errors it logs itself."""
    heard: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # Chromium logs every answer of 4xx; those are tested by what the page makes of them.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            heard.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard
