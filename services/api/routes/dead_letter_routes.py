"""``/api/v1/dead-letters``, for administrators."""

from fastapi import APIRouter, Depends

from contracts.wire import WireModel
from services.api.access.caller import administrator
from services.api.recovery.dead_letters import DeadLetter
from services.api.refusals import NotFound
from services.api.routes.dependencies import DeadLettersDep

router = APIRouter(prefix="/api/v1", tags=["dead letters"], dependencies=[Depends(administrator)])


class DeadLetters(WireModel):
    """The dead-letter queues as they are now."""

    items: list[DeadLetter]


class Redriven(WireModel):
    """The answer: the message is with its stage again."""

    dead_letter_id: str


@router.get("/dead-letters")
async def dead_letters(queues: DeadLettersDep) -> DeadLetters:
    """The messages that stages gave up, the oldest of each stage first."""
    return DeadLetters(items=await queues.read())


@router.post("/dead-letters/{dead_letter_id}/redrive", status_code=202)
async def redrive(queues: DeadLettersDep, dead_letter_id: str) -> Redriven:
    """Process a message again; where its document has failed, that starts a new attempt."""
    if not await queues.redrive(dead_letter_id):
        raise NotFound("There is no such dead letter.")
    return Redriven(dead_letter_id=dead_letter_id)
