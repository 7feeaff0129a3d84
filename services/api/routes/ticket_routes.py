"""``POST /api/v1/events/tickets``."""

from fastapi import APIRouter

from contracts.wire import WireModel
from services.api.access.caller import AnyCaller
from services.api.access.tickets import TICKET_SECONDS
from services.api.routes.dependencies import AccessDep

router = APIRouter(prefix="/api/v1", tags=["events"])


class IssuedTicket(WireModel):
    """A ticket for one connection; ``expires_in`` is in seconds."""

    ticket: str
    expires_in: int


@router.post("/events/tickets")
async def issue(who: AnyCaller, access: AccessDep) -> IssuedTicket:
    """Issue a ticket with which EventSource opens one stream: ``GET /api/v1/events?ticket=…``."""
    ticket = await access.tickets.issue(who.claims)
    return IssuedTicket(ticket=ticket, expires_in=TICKET_SECONDS)
