"""Takes the pictures of the README from a running Stagecast: ``python docs/pictures/take.py URL FILE…``.

Needs what the tests need (Playwright, Chromium) and Pillow, which nothing else does. The files are uploaded while
it watches; take some that are read at different speeds.
"""

import io
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1180, "height": 560}
FRAME_MS = 200
FRAMES = 40
CHROMIUM = "/usr/bin/chromium"


def take(url: str, files: list[str]) -> None:
    """Write ``panel.png`` and ``panel.webp`` beside this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(url)
        page.wait_for_selector('#connection[data-state="live"]')
        page.locator("#files").set_input_files(files)
        frames = [_frame(page) for _ in range(FRAMES)]
        page.screenshot(path=HERE / "panel.png")
        browser.close()
    first, *others = frames
    first.save(
        HERE / "panel.webp",
        save_all=True,
        append_images=others,
        duration=FRAME_MS,
        loop=0,
        quality=55,
        method=6,
    )


def _frame(page: Page) -> Image.Image:
    began = time.monotonic()
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    time.sleep(max(0.0, FRAME_MS / 1000 - (time.monotonic() - began)))
    return picture


if __name__ == "__main__":
    take(sys.argv[1], sys.argv[2:])
