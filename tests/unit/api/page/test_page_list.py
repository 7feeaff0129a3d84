"""The list: only what can be seen is built, it is true to filters and events, and works by keyboard."""

from typing import Any

from playwright.sync_api import Page, expect

from contracts.statuses import Status
from tests.e2e.browser import drop, expect_state, row
from tests.support.fakes.api import Running
from tests.support.fakes.waiting import wait_until

MANY = 5000


def add(fake: Running, *names: str, **values: Any) -> None:
    def made() -> None:
        for name in names:
            fake.api.documents.add(f"doc-{name}", name, b"x").update(attempt=1, **values)

    fake.loop_calls(made)


def numbered(many: int) -> list[str]:
    return [f"{number:05}.pdf" for number in range(many)]


def focused(page: Page) -> str | None:
    found = page.evaluate("document.activeElement.dataset.documentId ?? null")
    return found if isinstance(found, str) else None


def test_of_five_thousand_documents_only_those_in_sight_are_built_and_all_can_be_scrolled_to(
    page: Page, fake: Running
) -> None:
    add(fake, *numbered(MANY), status="embedded")
    page.reload()
    expect(row(page, f"{MANY - 1:05}.pdf")).to_be_visible()

    assert page.locator("#documents .row").count() < 60
    page.locator("#documents .row").first.focus()
    last = row(page, "00000.pdf")

    def is_reached() -> bool:
        page.keyboard.press("End")  # more is read as the end comes near
        return last.count() == 1

    wait_until(is_reached)
    expect(last).to_be_in_viewport()
    assert page.locator("#documents .row").count() < 60


def test_at_least_twelve_documents_fit_a_screen(page: Page, fake: Running) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    add(fake, *numbered(30), status="embedded")
    page.reload()
    expect(row(page, "00029.pdf")).to_be_visible()

    whole = page.locator("#documents .row").evaluate_all(
        "rows => rows.filter((one) => one.getBoundingClientRect().bottom <= innerHeight).length"
    )
    assert whole >= 12


def test_a_burst_of_events_of_new_documents_builds_no_more_than_the_window(page: Page, fake: Running) -> None:
    add(fake, *numbered(1000))
    for name in numbered(1000):
        fake.report(f"doc-{name}", Status.PARSING)
    fake.report("doc-00999.pdf", Status.PARSED, chunkCount=1)

    expect(row(page, "00999.pdf")).to_have_attribute("data-status", "parsed")
    assert page.locator("#documents .row").count() < 60


def test_a_filter_shows_what_matches_and_a_document_that_stops_matching_goes(
    page: Page, fake: Running
) -> None:
    add(fake, "a-letter.pdf", "another-letter.pdf", "invoice.pdf", status="parsing")
    page.reload()
    expect(row(page, "invoice.pdf")).to_be_visible()

    page.get_by_label("Part of the name").fill("LETTER")
    page.get_by_label("Status").select_option("Under way")

    expect(page.locator("#documents .row")).to_have_count(2)
    wait_until(lambda: "name=LETTER" in fake.api.listed[-1] and "status=parsing" in fake.api.listed[-1])
    fake.report("doc-a-letter.pdf", Status.EMBEDDED, embeddingCount=1)
    expect(page.locator("#documents .row")).to_have_count(1)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#documents .row")).to_have_count(3)


def test_the_list_is_in_the_order_that_was_chosen(page: Page, fake: Running) -> None:
    add(fake, "b.pdf", "c.pdf", "a.pdf", status="embedded")
    page.reload()

    page.get_by_label("Order").select_option("Name")

    expect(page.locator("#documents .name")).to_have_text(["a.pdf", "b.pdf", "c.pdf"])


def test_a_deletion_can_be_taken_back(page: Page, fake: Running) -> None:
    add(fake, "kept.pdf", status="embedded")
    page.reload()

    row(page, "kept.pdf").get_by_role("button", name="Delete").click()
    expect(row(page, "kept.pdf")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()

    expect(row(page, "kept.pdf")).to_be_visible()
    assert "doc-kept.pdf" in fake.api.documents.by_id


def test_a_deletion_that_is_not_taken_back_happens_also_where_the_page_is_closed(
    page: Page, fake: Running
) -> None:
    add(fake, "gone.pdf", status="embedded")
    page.reload()
    row(page, "gone.pdf").get_by_role("button", name="Delete").click()
    expect(page.locator("#undo")).to_be_visible()

    page.reload()

    wait_until(lambda: "doc-gone.pdf" not in fake.api.documents.by_id)
    expect(page.locator("#none")).to_be_visible()


def test_the_keyboard_alone_chooses_opens_and_deletes_and_the_focus_stays_in_the_list(
    page: Page, fake: Running
) -> None:
    add(fake, "1.pdf", "2.pdf", "3.pdf", status="embedded")
    page.reload()
    expect(row(page, "3.pdf")).to_be_visible()
    page.get_by_label("Order").focus()

    page.keyboard.press("Tab")
    assert focused(page) == "doc-3.pdf"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(row(page, "2.pdf")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Delete")
    expect(row(page, "2.pdf")).to_have_count(0)
    wait_until(lambda: focused(page) == "doc-1.pdf")
    page.keyboard.press("Control+z")
    expect(row(page, "2.pdf")).to_be_visible()

    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("1.pdf")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: focused(page) == "doc-1.pdf")


def test_several_that_were_chosen_are_acted_on_together(page: Page, fake: Running) -> None:
    add(fake, *numbered(5), status="parsing")
    page.reload()
    page.get_by_label("Choose 00004.pdf").click()
    page.get_by_label("Choose 00002.pdf").click(modifiers=["Shift"])
    bar = page.get_by_role("toolbar", name="Chosen documents")
    expect(bar).to_contain_text("3 documents chosen")

    bar.get_by_role("button", name="Cancel").click()

    for number in (4, 3, 2):
        expect(row(page, f"0000{number}.pdf")).to_contain_text("cancelled")
    expect(row(page, "00001.pdf")).to_have_attribute("data-status", "parsing")


def test_all_that_match_are_acted_on_by_one_call_that_says_first_how_many_they_are(
    page: Page, fake: Running
) -> None:
    add(fake, *numbered(150), status="failed")
    page.reload()
    page.get_by_label("Status").select_option("Failed")
    page.get_by_label("Choose 00149.pdf").click()
    page.get_by_role("button", name="Choose all that are shown").click()

    page.get_by_role("button", name="Delete all").click()
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("Delete 150 documents?")
    question.get_by_role("button", name="Delete").click()

    expect(page.locator(".operation")).to_contain_text("Deleted 150 of 150 documents")
    [(kind, body)] = fake.api.bulk
    assert (kind, body["status"], "createdBefore" in body) == ("delete", ["failed"], True)
    expect(page.locator("#documents .row")).to_have_count(0)


def test_a_dropped_folder_is_uploaded_with_what_is_in_it(page: Page, fake: Running, tmp_path: Any) -> None:
    inner = tmp_path / "letters" / "old"
    inner.mkdir(parents=True)
    (inner / "first.txt").write_text("The first letter.")
    (tmp_path / "letters" / "second.txt").write_text("The second letter.")
    (tmp_path / "letters" / ".hidden").write_text("Not for anybody.")

    page.locator("#folder").set_input_files(tmp_path / "letters")

    for name in ("first.txt", "second.txt"):
        expect(row(page, name)).to_have_attribute("data-status", "embedded")
    assert row(page, ".hidden").count() == 0


def test_an_upload_that_broke_goes_by_one_press_without_choosing_the_file_again(
    page: Page, fake: Running
) -> None:
    page.route(
        "**/api/v1/documents",
        lambda route: route.abort() if route.request.method == "POST" else route.continue_(),
    )
    drop(page, {"name": "broken.txt", "mimeType": "text/plain", "buffer": b"Broken off."})
    line = page.locator("#uploads li.failure", has_text="broken.txt")
    expect(line).to_contain_text("The connection broke during the upload.")
    page.unroute("**/api/v1/documents")

    line.get_by_role("button", name="Upload broken.txt again").click()

    expect(row(page, "broken.txt")).to_have_attribute("data-status", "embedded")


def test_a_name_that_turns_the_direction_round_turns_nothing_but_itself(page: Page, fake: Running) -> None:
    add(fake, "harmless\u202efdp.exe", "שלום.pdf", status="embedded")
    page.reload()

    names = page.locator("#documents .name bdi")
    expect(names).to_have_text(["שלום.pdf", "harmless\ufffdfdp.exe"])


def test_a_document_opens_with_its_history_and_its_text(page: Page, fake: Running) -> None:
    drop(page, {"name": "opened.txt", "mimeType": "text/plain", "buffer": b"The text of it."})
    expect(row(page, "opened.txt")).to_have_attribute("data-status", "embedded")

    row(page, "opened.txt").get_by_role("link").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".timeline li").first).to_contain_text("Started")
    expect(dialog.locator(".timeline li").last).to_contain_text("Embedded")
    expect(dialog.locator(".chunks")).to_contain_text("The text of it.")
    expect(dialog.get_by_role("link", name="Download the original")).to_have_attribute(
        "href",
        "/api/v1/documents/"
        + str(page.locator("#documents .row").get_attribute("data-document-id"))
        + "/content",
    )


def test_operators_see_what_waits_and_what_died(page: Page, fake: Running) -> None:
    lane = {"lane": "first", "waiting": 3, "running": 1, "oldestWaiting": 12.0, "rate": 0.5}
    fake.api.pipeline = {"stages": [{"stage": "parse", "workers": 2, "lanes": [lane]}], "deadLetters": 1}
    letter = {"deadLetterId": "d1", "documentId": "doc-x", "stage": "parse", "reason": "a bug", "deaths": 11}
    fake.api.dead_letters = [{**letter, "at": "2026-11-22T06:00:00.000Z"}]
    page.reload()
    expect_state(page, "live")

    page.get_by_role("link", name="Pipeline").click()

    expect(page.locator(".pipeline tbody tr")).to_have_text(["Parsingfirst3112 s302"])
    expect(page.locator(".dead li")).to_contain_text("a bug")
