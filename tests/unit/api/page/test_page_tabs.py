"""However many tabs are open, they are one stream, and none misses an event when another is closed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from contracts.statuses import Status
from tests.e2e.browser import complaints, expect_state, row
from tests.support.fakes.api import Running
from tests.support.fakes.waiting import wait_until

TABS = 20
WITHOUT = {
    "a shared worker": "",
    "no shared worker": "delete window.SharedWorker;",
}
WITHOUT_ANY = "delete window.SharedWorker; delete Navigator.prototype.locks;"


@contextmanager
def tabs_open(browser: Browser, fake: Running, without: str, many: int) -> Iterator[list[Page]]:
    with browser.new_context() as context:
        context.add_init_script(without)
        heard: list[list[str]] = []
        pages = [opened(context, fake, heard) for _ in range(many)]
        yield pages
        assert [one for each in heard for one in each] == []


def opened(context: BrowserContext, fake: Running, heard: list[list[str]]) -> Page:
    page = context.new_page()
    heard.append(complaints(page))
    page.goto(fake.url)
    expect_state(page, "live")
    return page


def add(fake: Running, name: str) -> None:
    fake.loop_calls(lambda: fake.api.documents.add(f"doc-{name}", name, b"x").update(attempt=1))


@pytest.mark.parametrize("without", WITHOUT.values(), ids=WITHOUT)
def test_twenty_tabs_are_one_stream_and_all_see_each_event_after_the_first_is_closed(
    browser: Browser, fake: Running, without: str
) -> None:
    with tabs_open(browser, fake, without, TABS) as tabs:
        assert len(fake.api.log.opened) == 1
        add(fake, "first.pdf")
        fake.report("doc-first.pdf", Status.PARSED, chunkCount=3)
        for tab in tabs:
            expect(row(tab, "first.pdf")).to_have_attribute("data-status", "parsed")

        tabs.pop(0).close()
        fake.report("doc-first.pdf", Status.EMBEDDED, embeddingCount=3)

        for tab in tabs:
            expect(row(tab, "first.pdf")).to_have_attribute("data-status", "embedded")
        assert len(fake.api.log.opened) <= 2


def test_the_tab_that_takes_over_goes_on_where_the_leading_one_was_last_heard_of(
    browser: Browser, fake: Running
) -> None:
    with tabs_open(browser, fake, WITHOUT["no shared worker"], 3) as tabs:
        add(fake, "first.pdf")
        fake.report("doc-first.pdf", Status.PARSING)
        for tab in tabs:
            expect(row(tab, "first.pdf")).to_be_visible()
        heard_of = fake.api.log.position

        tabs.pop(0).close()

        wait_until(lambda: len(fake.api.log.opened) == 2)
        assert fake.api.log.opened[1] == heard_of


def test_a_tab_that_comes_later_is_told_what_its_list_is_too_old_for(browser: Browser, fake: Running) -> None:
    with tabs_open(browser, fake, "", 1) as tabs:
        add(fake, "moved.pdf")
        fake.report("doc-moved.pdf", Status.EMBEDDING, embeddedCount=1, chunkCount=9)
        expect(row(tabs[0], "moved.pdf")).to_have_attribute("data-status", "embedding")
        # The list trails the stream, as a projection may.
        fake.loop_calls(lambda: fake.api.documents.by_id["doc-moved.pdf"].update(status="parsing"))

        late = opened(tabs[0].context, fake, [])

        expect(row(late, "moved.pdf")).to_have_attribute("data-status", "embedding")


def test_a_browser_with_neither_has_a_stream_for_each_tab(browser: Browser, fake: Running) -> None:
    with tabs_open(browser, fake, WITHOUT_ANY, 2) as tabs:
        assert len(fake.api.log.opened) == 2
        add(fake, "first.pdf")
        fake.report("doc-first.pdf", Status.PARSING)
        for tab in tabs:
            expect(row(tab, "first.pdf")).to_be_visible()
