"""``/api/v1/pipeline``, for administrators."""

from fastapi import APIRouter, Depends

from services.api.access.caller import administrator
from services.api.pipeline.overview import Pipeline
from services.api.routes.dependencies import PipelineDep

router = APIRouter(prefix="/api/v1", tags=["pipeline"], dependencies=[Depends(administrator)])


@router.get("/pipeline")
async def pipeline(overview: PipelineDep) -> Pipeline:
    """What waits and runs in each lane of each stage, and what lies behind."""
    return await overview.read()
