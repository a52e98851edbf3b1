"""The review queue: what a clinician should look at, most urgent first."""

import re
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from vitalrelay.adapters.inbound.http.actions import (
    ActorIn,
    Words,
    act,
    answer_response,
    answered_with,
    body_of,
    described,
)
from vitalrelay.adapters.inbound.http.cursors import next_link, read_cursor, write_cursor
from vitalrelay.adapters.inbound.http.documents import json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.problems import RequestRefused
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.actions import ResolveReview
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.fingerprint import LARGEST_EXACT
from vitalrelay.domain.packet import ID
from vitalrelay.domain.review_queue import QueueFilter, QueueItem, QueuePlace

router = APIRouter(prefix="/v1/review-queue", tags=["review"])

ITEM_ID = re.compile(f"review:{ID.pattern}")
LONGEST_AGE_S = 10 * 365 * 86_400

REVIEW = {
    "reviewItemId": "review:e-0042-1",
    "encounterId": "e-0042-1",
    "priority": "high",
    "state": "open",
    "updatedMs": 1767225600000,
    "known": ["heart_rate", "respiratory_rate", "spo2"],
    "resolvedBy": None,
}
ITEM = REVIEW | {"subjectId": "p-0042", "siteId": "seoul-01"}
ANSWER = {
    "outcome": "done",
    "reviewItemId": "review:e-0042-1",
    "review": REVIEW | {"state": "resolved", "resolvedBy": "nurse-7"},
    "eventId": "p-0042:44.1",
    "projection": {"projectionId": "monitoring-snapshot:p-0042", "version": 44},
}


class QueueIn(BaseModel):
    """Which items are meant; all conditions hold at once."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    site_id: Annotated[str, Field(pattern=f"^{ID.pattern}$")] | None = None
    priority: RiskLevel | None = None
    older_than_seconds: Annotated[float, Field(ge=0, le=LONGEST_AGE_S)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: str | None = None

    def to_domain(self) -> QueueFilter:
        older = self.older_than_seconds
        return QueueFilter(
            site=self.site_id,
            priority=self.priority,
            older_than=None if older is None else timedelta(seconds=older),
        )


class ResolveIn(ActorIn):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"actorRef": "nurse-7", "note": "called the doctor, oxygen raised"}]
        }
    )

    note: Words


@router.get(
    "",
    operation_id="listReviewQueue",
    responses=answered_with({"items": [ITEM], "next": None}, "A page of them.")
    | problems(422, 503),
)
async def list_queue(request: Request, of: OfApp, page: Annotated[QueueIn, Query()]) -> Response:
    """Open items; the age is that of their last move, by the packets' own time."""
    after = None if page.cursor is None else place_of(page.cursor)
    found = await of.reviews.open(page.to_domain(), page.limit, after)
    end = found.then
    then = None if end is None else write_cursor(end.urgency, end.updated_ms, end.item)
    body = {"items": [item_out(item) for item in found.items], "next": then}
    return json_response(body, next_link(request, then))


@router.post(
    "/{review_item_id}/resolve",
    operation_id="resolveReviewItem",
    openapi_extra=described(ResolveIn),
    responses=answered_with(ANSWER) | problems(400, 404, 408, 409, 413, 415, 422, 503),
)
async def resolve(
    review_item_id: str,
    body: Annotated[ResolveIn, Depends(body_of(ResolveIn))],
    request: Request,
    of: OfApp,
) -> Response:
    """Looked at and dealt with; it comes back when the risk rises again."""
    answer = await act(of, request, ResolveReview(about=review_item_id, note=body.note), body)
    return answer_response(
        {
            "outcome": answer["outcome"],
            "reviewItemId": answer["about"],
            "review": answer["thing"],
            "eventId": answer["eventId"],
            "projection": answer["projection"],
        }
    )


def place_of(cursor: str) -> QueuePlace:
    """Raises RequestRefused for a place where no item can be."""
    place = QueuePlace(*read_cursor(cursor, int, int, str))
    urgent = place.urgency in {level.urgency for level in RiskLevel}
    moved = 0 <= place.updated_ms < LARGEST_EXACT
    if not (urgent and moved and ITEM_ID.fullmatch(place.item)):
        raise RequestRefused("invalid-request", "The cursor is not one of ours.")
    return place


def item_out(item: QueueItem) -> dict[str, Any]:
    return {**item.document, "subjectId": item.subject, "siteId": item.site}
