"""The page in a real browser, before a server that can be told to misbehave."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import chromium_running, live_page
from tests.support.fakes.api import FakeApi, Running, running


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with chromium_running(chromium) as started:
        yield started


@pytest.fixture
def fake() -> Iterator[Running]:
    with running(FakeApi()) as server:
        yield server


@pytest.fixture
def page(browser: Browser, fake: Running) -> Iterator[Page]:
    with live_page(browser, fake.url) as page:
        yield page
