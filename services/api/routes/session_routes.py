"""``/api/v1/session``: a token as a cookie, for pages of our own origin and for EventSource."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from contracts.wire import WireModel
from services.api.access.caller import COOKIE
from services.api.access.origins import refuse_other_origins
from services.api.access.tokens import MAX_TOKEN_CHARACTERS
from services.api.routes.dependencies import AccessDep

router = APIRouter(prefix="/api/v1", tags=["session"])


class Credentials(WireModel):
    """A token, as ``Authorization: Bearer`` would carry it."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN_CHARACTERS)]


@router.post("/session", status_code=204)
async def begin(request: Request, access: AccessDep, credentials: Credentials) -> Response:
    """Keep a valid token in a cookie that no script can read, as long as the token lasts."""
    # Else another site could sign its visitor in as somebody else, and see what they upload.
    refuse_other_origins(request, access.allowed_origins, must_tell=False)
    claims = await access.claims(credentials.token)
    response = Response(status_code=204)
    lasts = int((claims.expires_at - datetime.now(UTC)).total_seconds()) if claims.expires_at else None
    response.set_cookie(
        COOKIE, credentials.token, max_age=lasts, path="/api", secure=True, httponly=True, samesite="strict"
    )
    return response


@router.delete("/session", status_code=204)
async def end(request: Request, access: AccessDep) -> Response:
    """Forget the cookie."""
    refuse_other_origins(request, access.allowed_origins, must_tell=False)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/api", secure=True, httponly=True, samesite="strict")
    return response
