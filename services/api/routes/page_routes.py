"""``/``: the control panel page and its files, each a route, so that other paths keep their 404 and 405."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

PAGE = Path(__file__).parents[1] / "page"
SENT = {".html", ".css", ".js", ".svg"}


def page_router() -> APIRouter:
    """Return one route per file of the page."""
    router = APIRouter(include_in_schema=False)
    for name, path in page_files().items():
        router.add_api_route(f"/{name}", _sender(path), methods=["GET", "HEAD"])
    return router


def page_files() -> dict[str, Path]:
    """Return the files that browsers ask for by their addresses below ``/``; the page itself has none."""
    files = sorted(path for path in PAGE.rglob("*") if path.suffix in SENT)
    return {str(path.relative_to(PAGE)).replace("index.html", ""): path for path in files}


def _sender(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        # Revalidated each time: a page of yesterday and an API of today may not fit.
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    return send
