"""``/docs``: the API to try out. Swagger UI comes with a package, so that the page needs nothing from elsewhere."""

import base64
import hashlib
import re
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

FILES = Path(fastapi_offline.__file__).parent / "static"
SCRIPT, STYLE, ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"


def docs_router(app: FastAPI) -> APIRouter:
    """Return the routes of the page and its three files."""
    router = APIRouter(include_in_schema=False)
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=f"{app.title} API",
        swagger_js_url=f"/docs/{SCRIPT}",
        swagger_css_url=f"/docs/{STYLE}",
        swagger_favicon_url=f"/docs/{ICON}",
    ).body
    policy = docs_policy(bytes(page).decode())

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    @router.get(f"/docs/{SCRIPT}")
    async def script() -> FileResponse:
        return FileResponse(FILES / SCRIPT)

    @router.get(f"/docs/{STYLE}")
    async def style() -> FileResponse:
        return FileResponse(FILES / STYLE)

    @router.get(f"/docs/{ICON}")
    async def icon() -> FileResponse:
        return FileResponse(FILES / ICON)

    return router


def docs_policy(html: str) -> str:
    """Return the policy of the page: it may run its files and its one inline script, which is named by its hash."""
    inline = " ".join(script_hashes(html))
    return (
        f"default-src 'none'; script-src 'self' {inline}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def script_hashes(html: str) -> list[str]:
    """Return the inline scripts of a page as sources of a Content-Security-Policy."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
