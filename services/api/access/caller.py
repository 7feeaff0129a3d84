"""The caller of a request, and what they may see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy import ColumnElement, true
from starlette.types import Scope

from services.api.access.origins import refuse_other_origins
from services.api.access.tickets import InvalidTicket, Tickets
from services.api.access.tokens import ADMIN, Claims, InvalidToken, Tokens
from services.api.api_settings import ApiSettings
from services.api.http.allowed_hosts import is_loopback
from services.api.http.methods import is_stream
from services.api.http.rates import USER, Rates
from services.api.refusals import Forbidden, NotFound, Unauthenticated
from services.runtime.database.tables import documents
from services.runtime.process.logging import get_logger

COOKIE = "stagecast_token"
PUBLIC = frozenset({"/api/v1/session", "/api/v1/events/webhook/document-processing"})
"""Routes that tell by themselves whom they serve: by a token in the body, or by a producer's key."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Caller:
    """The one who sent a request; ``sees_all`` for the one local user and for administrators.

    ``expires_at`` is when the proof of it expires; None for one that is never asked again.
    """

    owner_id: str | None
    sees_all: bool
    expires_at: datetime | None = None

    @property
    def claims(self) -> Claims:
        """The claims that a token of this caller would make."""
        return Claims(self.owner_id or "", frozenset({ADMIN} if self.sees_all else ()), self.expires_at)

    def may_see(self, owner_id: str | None) -> bool:
        """Return whether what belongs to ``owner_id`` is shown; what belongs to nobody is shown to everybody."""
        return self.sees_all or owner_id is None or owner_id == self.owner_id

    def visible(self) -> ColumnElement[bool]:
        """Return ``may_see`` as a condition on documents."""
        return true() if self.sees_all else visible_to(self.owner_id)

    def visible_parts(self) -> list[ColumnElement[bool]]:
        """Return conditions of which one is met by what is shown, none by the same document as another.

        Each can be answered from an index in any order, which one condition of two owners can't.
        """
        if self.sees_all:
            return [true()]
        nobodys = documents.c.owner_id.is_(None)
        return [nobodys] if self.owner_id is None else [documents.c.owner_id == self.owner_id, nobodys]


def visible_to(
    owner_id: str | ColumnElement[str] | None,
    column: ColumnElement[str | None] = documents.c.owner_id,
) -> ColumnElement[bool]:
    """Return the condition that documents, or what else has a column for it, are an owner's or nobody's."""
    return column.is_(None) | (column == owner_id)


LOCAL_USER = Caller(owner_id=None, sees_all=True)


@dataclass(frozen=True)
class Access:
    """Tells callers apart; ``tokens`` is None where there is one local user."""

    tokens: Tokens | None
    tickets: Tickets
    rates: Rates
    allowed_origins: tuple[str, ...] = ()

    async def authenticate(self, scope: Scope) -> None:
        """Find out who asks and count it against their rate, for ``AnyCaller``; public routes ask for nobody.

        Raises Unauthenticated, Forbidden, TooManyRequests, Unavailable.
        """
        if scope["path"] in PUBLIC or not scope["path"].startswith("/api/"):
            return
        request = Request(scope)
        who = await self._identify(request)
        await self.rates.count(scope, USER, who.owner_id or "")
        request.state.caller = who

    async def close(self) -> None:
        """Close what it holds open."""
        if self.tokens is not None:
            await self.tokens.close()

    async def claims(self, token: str) -> Claims:
        """Return the claims of a token; raises Unauthenticated, Unavailable."""
        if self.tokens is None:
            raise NotFound("This server asks for no tokens.")
        try:
            return await self.tokens.read(token)
        except InvalidToken as error:
            log.info("token_refused", reason=str(error))
            raise Unauthenticated from error

    async def _identify(self, request: Request) -> Caller:
        """Identify by the first of header, ticket and cookie that is there; if it fails, no other is tried."""
        if self.tokens is None:
            refuse_other_origins(request, self.allowed_origins, must_tell=False)
            return LOCAL_USER
        header = request.headers.get("authorization")
        if header is not None:
            scheme, token = get_authorization_scheme_param(header)
            return caller_of(await self.claims(token if scheme.lower() == "bearer" else ""))
        if (ticket := _ticket(request)) is not None:
            return await self._redeem(ticket)
        claims = await self.claims(request.cookies.get(COOKIE, ""))
        refuse_other_origins(request, self.allowed_origins, must_tell=True)
        return caller_of(claims)

    async def _redeem(self, ticket: str) -> Caller:
        try:
            return caller_of(await self.tickets.redeem(ticket))
        except InvalidTicket as error:
            raise Unauthenticated from error


def caller_of(claims: Claims) -> Caller:
    """Return the caller whom valid claims name."""
    return Caller(claims.owner_id, sees_all=ADMIN in claims.scopes, expires_at=claims.expires_at)


def _ticket(request: Request) -> str | None:
    """Return the ticket of an EventSource, which can't set headers; elsewhere a ticket opens nothing."""
    is_of_stream = request.method == "GET" and is_stream(request.scope)
    return request.query_params.get("ticket") if is_of_stream else None


async def caller(request: Request) -> Caller:
    """Return the caller whom ``Access.authenticate`` found before the routes."""
    who: Caller = request.state.caller
    return who


AnyCaller = Annotated[Caller, Depends(caller)]


async def administrator(who: AnyCaller) -> Caller:
    """Return a caller with the scope ``admin``; raises Forbidden for others."""
    if not who.sees_all:
        raise Forbidden("This needs a token with the scope admin.")
    return who


def refuse_unprotected(settings: ApiSettings) -> None:
    """Stop the start when anybody on the network could do anything."""
    if settings.asks_for_tokens or settings.auth_disabled or is_loopback(settings.host):
        return
    raise SystemExit(
        f"HOST is {settings.host}, which others can reach, and no tokens are asked for: set AUTH_JWT_SECRET or "
        "AUTH_JWKS_URL, or AUTH_DISABLED=true if that is meant, or listen on 127.0.0.1."
    )
