"""Our client for TypeScript: made from the schemas, and at work in a browser and where tokens are asked for."""

import os
import subprocess
from pathlib import Path

import httpx
from playwright.sync_api import Route, expect

from tests.e2e.browser import chromium_running
from tests.support.fakes.waiting import wait_until
from tests.support.guarded import Guarded, token
from tests.support.npm import NODE, ROOT, TYPESCRIPT_CLIENT
from tests.support.system import System

SOURCES = ROOT / "clients" / "typescript"
FOLLOW = ROOT / "tests" / "support" / "sse_clients.mjs"


def test_its_types_are_what_the_schemas_say(typescript_client: Path, tmp_path: Path) -> None:
    made = tmp_path / "events.ts"
    schema = ROOT / "contracts" / "schemas" / "StreamEvents.json"

    subprocess.run([NODE, typescript_client / "scripts" / "generate.mjs", schema, made], check=True)

    assert made.read_text() == (SOURCES / "src" / "events.ts").read_text()


def test_its_example_page_is_short_and_shows_what_happens(
    system: System, typescript_client: Path, chromium: Path
) -> None:
    def answer(route: Route) -> None:
        route.fulfill(path=typescript_client / route.request.url.partition("/client/")[2].partition("?")[0])

    assert len((SOURCES / "examples" / "page.html").read_text().splitlines()) < 40
    with chromium_running(chromium) as browser:
        page = browser.new_page()
        page.route("**/client/**", answer)
        page.goto(f"{system.url}/client/examples/page.html")
        page.wait_for_function("document.readyState === 'complete'")
        report = {"documentId": "of-typescript", "status": "failed", "metadata": {"error": "As a test."}}

        def reported() -> bool:  # until the page is connected
            answer = httpx.post(
                f"{system.url}/api/v1/events/webhook/document-processing",
                json=report,
                headers={"X-Webhook-Key": system.api_key},
            )
            return answer.status_code == 202 and page.locator("li").count() > 0

        wait_until(reported)
        expect(page.locator("li", has_text="of-typescript")).to_have_text("of-typescript: As a test.")


def test_with_a_token_it_follows_by_tickets_and_sees_its_owners_events_alone(
    guarded: Guarded, npm_clients: Path, typescript_client: Path, tmp_path: Path
) -> None:
    printed = tmp_path / "printed.txt"
    with printed.open("wb") as output:
        program = subprocess.Popen(
            [NODE, FOLLOW, f"{guarded.system.url}/api/v1/events", TYPESCRIPT_CLIENT],
            cwd=npm_clients,
            stdout=output,
            env={**os.environ, "NO_PROXY": "*", "STAGECAST_TOKEN": token("tess")},
        )
    try:
        wait_until(lambda: '"connected"' in printed.read_text())
        for owner in ("tom", "tess"):
            guarded.notify(documentId=f"of-{owner}", status="parsed", ownerId=owner).raise_for_status()
        wait_until(lambda: "of-tess" in printed.read_text())
    finally:
        program.kill()
        program.wait()
    assert "of-tom" not in printed.read_text()
