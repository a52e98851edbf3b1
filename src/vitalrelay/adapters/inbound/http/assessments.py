"""Assessments, as they stand."""

from fastapi import APIRouter, Response

from vitalrelay.adapters.inbound.http.documents import json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.packet import EncounterId

router = APIRouter(tags=["risk"])


@router.get(
    "/v1/encounters/{encounter_id}/assessments",
    operation_id="listAssessments",
    responses=problems(404, 503),
)
async def list_assessments(encounter_id: str, of: OfApp) -> Response:
    """The current assessment of each model, newest first."""
    return json_response({"items": await of.records.assessments_of(EncounterId(encounter_id))})
