"""What the page makes of cuts, resets and hostile input, with a server that can be told to misbehave."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from contracts.statuses import Status
from tests.e2e.browser import drop, expect_state, row
from tests.support.fakes.api import Running
from tests.support.fakes.waiting import wait_until

HOSTILE = '<img src=x onerror="document.title=1">.pdf'


def add(fake: Running, document_id: str, filename: str | None, content: bytes | None = b"x") -> None:
    fake.loop_calls(lambda: fake.api.documents.add(document_id, filename, content).update(attempt=1))


def record(fake: Running, **event: Any) -> None:
    whole = {
        "eventId": f"{event['documentId']}-{event['status']}-{event.get('attempt', 1)}-{event.get('metadata')}",
        "message": "",
        "metadata": {},
        "timestamp": "2026-11-22T06:00:00.000Z",
        "ownerId": None,
        "attempt": 1,
        "source": "webhook:test",
        **event,
    }
    fake.loop_calls(lambda: fake.api.log.append("document_processing", whole))


def test_a_cut_is_shown_and_what_happened_meanwhile_arrives(page: Page, fake: Running) -> None:
    connections = len(fake.api.log.opened)
    fake.loop_calls(lambda: setattr(fake.api.log, "retry_ms", 3000))
    fake.cut()
    wait_until(lambda: len(fake.api.log.opened) > connections)  # and has learned how long to stay away
    expect_state(page, "live")
    fake.cut()
    expect_state(page, "reconnecting")
    add(fake, "doc-1", "meanwhile.pdf")
    fake.report("doc-1", Status.PARSED, chunkCount=4)

    expect_state(page, "live")
    expect(row(page, "meanwhile.pdf")).to_have_attribute("data-status", "parsed")


def test_after_a_reset_the_list_is_fetched_again(page: Page, fake: Running) -> None:
    add(fake, "doc-1", "stays.pdf")
    add(fake, "doc-2", "goes.pdf")
    fake.report("doc-1", Status.PARSING)
    fake.report("doc-2", Status.PARSING)
    expect(row(page, "goes.pdf")).to_be_visible()

    fake.loop_calls(lambda: fake.api.documents.by_id.pop("doc-2"))
    fake.loop_calls(lambda: fake.api.documents.by_id["doc-1"].update(status="embedded", chunkCount=3))
    fake.forget()

    expect(row(page, "stays.pdf")).to_have_attribute("data-status", "embedded")
    expect(row(page, "goes.pdf")).to_have_count(0)


def test_a_list_and_the_stream_from_its_position_leave_no_gap(page: Page, fake: Running) -> None:
    add(fake, "doc-1", "first.pdf")
    fake.report("doc-1", Status.PARSING)
    expect(row(page, "first.pdf")).to_be_visible()

    page.reload()
    expect_state(page, "live")

    assert fake.api.log.opened[-1] == fake.api.log.position


def test_names_and_messages_are_text_and_nothing_else(page: Page, fake: Running) -> None:
    add(fake, "doc-1", HOSTILE)
    fake.report("doc-1", Status.FAILED, error="<b>bad</b>", code="corrupt", stage="parsing")

    expect(row(page, HOSTILE).locator(".failure")).to_have_text("<b>bad</b> corrupt")
    assert page.locator("#documents img, #documents b").count() == 0


def test_a_document_never_goes_back_within_an_attempt(page: Page, fake: Running) -> None:
    record(fake, documentId="doc-1", status="embedding", metadata={"embeddedCount": 8, "chunkCount": 9})
    record(fake, documentId="doc-1", status="parsing", metadata={"pagesDone": 1, "pageCount": 2})
    record(fake, documentId="doc-1", status="embedding", metadata={"embeddedCount": 4, "chunkCount": 9})
    record(fake, documentId="marker", status="parsed")
    expect(row(page, "marker")).to_be_visible()

    expect(row(page, "doc-1").locator(".said")).to_have_text("Embedding, 8 of 9 chunks")


def test_a_new_attempt_begins_at_the_first_stage(page: Page, fake: Running) -> None:
    record(fake, documentId="doc-1", status="failed", metadata={"error": "No.", "code": "corrupt"})
    record(fake, documentId="doc-1", status="parsing_started", attempt=2)
    record(fake, documentId="doc-1", status="embedding", attempt=1)
    record(fake, documentId="marker", status="parsed")
    expect(row(page, "marker")).to_be_visible()

    expect(row(page, "doc-1")).to_have_attribute("data-status", "parsing_started")
    expect(row(page, "doc-1").locator(".failure")).to_be_hidden()
    expect(row(page, "doc-1")).to_contain_text("attempt 2")


def test_metadata_of_strangers_can_hold_anything(page: Page, fake: Running) -> None:
    junk = {"filename": 7, "pagesDone": "x", "pageCount": -1, "error": {"a": 1}, "code": [1], "stage": "moon"}
    for status in Status:
        record(fake, documentId=f"doc-{status}", status=status, metadata=junk)

    for status in Status:
        expect(page.locator(f'[data-document-id="doc-{status}"]')).to_have_attribute("data-status", status)


def test_a_failed_document_can_be_tried_again(page: Page, fake: Running) -> None:
    drop(page, {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF FAIL"})
    expect(row(page, "scan.pdf")).to_have_attribute("data-status", "failed")

    row(page, "scan.pdf").get_by_role("button", name="Retry").click()

    expect(row(page, "scan.pdf")).to_contain_text("attempt 2")


def test_the_same_bytes_again_say_that_they_are_there(page: Page, fake: Running) -> None:
    for _ in range(2):
        drop(page, {"name": "twice.txt", "mimeType": "text/plain", "buffer": b"Twice."})
        expect(row(page, "twice.txt")).to_have_attribute("data-status", "embedded")

    expect(page.locator("#uploads li.note")).to_contain_text("Already there")
    expect(row(page, "twice.txt")).to_have_count(1)


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_nothing_sticks_out_of_the_window(page: Page, fake: Running, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    add(fake, "doc-1", "a-very-long-name-without-any-space-" * 8 + ".pdf")
    fake.report("doc-1", Status.FAILED, error="e" * 500, code="corrupt")
    expect(page.locator("#documents .row")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_words_that_were_asked_for_are_marked_wherever_they_stand(page: Page, fake: Running) -> None:
    add(fake, "doc-1", "bees.txt", "🐝🐝 keepers calm their bees with <b>smoke</b>".encode())
    fake.loop_calls(lambda: fake.api.documents.by_id["doc-1"].update(status="embedded"))
    page.get_by_role("link", name="Search").click()
    page.locator("#search input").fill("bees with")
    page.locator("#search input").press("Enter")

    expect(page.locator("#results mark")).to_have_text(["bees with"])
    expect(page.locator("#results .text")).to_have_text("🐝🐝 keepers calm their bees with <b>smoke</b>")
    assert page.locator("#results b").count() == 0
