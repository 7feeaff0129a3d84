"""Who asks, and what they may see."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, true

from services.runtime.settings import Settings
from services.runtime.tables import documents

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Caller:
    """Somebody at the API; ``sees_all`` for the one local user and for administrators."""

    owner_id: str | None
    sees_all: bool

    def may_see(self, owner_id: str | None) -> bool:
        """Whether what belongs to ``owner_id`` is shown; what belongs to nobody is shown to everybody."""
        return self.sees_all or owner_id is None or owner_id == self.owner_id

    def visible(self) -> ColumnElement[bool]:
        """``may_see`` as a condition on documents."""
        if self.sees_all:
            return true()
        return documents.c.owner_id.is_(None) | (documents.c.owner_id == self.owner_id)


LOCAL_USER = Caller(owner_id=None, sees_all=True)


def caller(request: Request) -> Caller:
    """Without tokens configured there is one local user, who owns everything."""
    return LOCAL_USER


AnyCaller = Annotated[Caller, Depends(caller)]


def refuse_open_door(settings: Settings) -> None:
    """Stop the start when anybody on the network could do anything."""
    if settings.host not in LOOPBACK and not settings.auth_disabled:
        raise SystemExit(
            f"HOST is {settings.host}, which others can reach, and no tokens are asked for: "
            "set AUTH_DISABLED=true if that is meant, or listen on 127.0.0.1."
        )
