"""On-call: what is owed, why, and owing it anew. No answer here holds a payload."""

from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from vitalrelay.adapters.inbound.http.cursors import next_link, read_cursor, write_cursor
from vitalrelay.adapters.inbound.http.documents import json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.on_call import ProjectionFilter, ProjectionState, ProjectionSummary
from vitalrelay.domain.packet import ID, SubjectId
from vitalrelay.domain.projection import ProjectionId, ProjectionStatus

log = structlog.get_logger()
router = APIRouter(prefix="/v1/projections", tags=["projections"])

LONGEST_AGE_S = 10 * 365 * 86_400


class FilterIn(BaseModel):
    """Which projections are meant; all conditions hold at once."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    status: ProjectionStatus | None = None
    older_than_seconds: Annotated[float, Field(ge=0, le=LONGEST_AGE_S)] | None = None
    subject_id: Annotated[str, Field(pattern=f"^{ID.pattern}$")] | None = None

    def to_domain(self) -> ProjectionFilter:
        older_than = self.older_than_seconds
        return ProjectionFilter(
            status=self.status,
            older_than=None if older_than is None else timedelta(seconds=older_than),
            subject=None if self.subject_id is None else SubjectId(self.subject_id),
        )


class PageIn(FilterIn):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: str | None = None


class RetryIn(BaseModel):
    """``expectedCount`` must be what the filter matches now; the reason is kept in the log."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    filter: FilterIn = FilterIn()
    expected_count: Annotated[int, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.get("", operation_id="listProjections", responses=problems(422, 503))
async def list_projections(
    request: Request, of: OfApp, page: Annotated[PageIn, Query()]
) -> Response:
    """Projections in order of their ids, a page at a time."""
    after = "" if page.cursor is None else read_cursor(page.cursor, str)[0]
    found = await of.projections.some(page.to_domain(), page.limit + 1, ProjectionId(after))
    items = found[: page.limit]
    then = write_cursor(items[-1].projection_id) if len(found) > page.limit else None
    body = {"items": [state_out(state) for state in items], "next": then}
    return json_response(body, next_link(request, then))


@router.get("/summary", operation_id="summariseProjections", responses=problems(503))
async def summarise(of: OfApp) -> Response:
    """How much is owed, since when, and how much waits for an operator."""
    return json_response(summary_out(await of.projections.summary()))


@router.get("/{projection_id}", operation_id="getProjection", responses=problems(404, 503))
async def get_projection(projection_id: str, of: OfApp) -> Response:
    """One projection: what is wanted, what is published, and why not."""
    return json_response(state_out(await of.projections.one(ProjectionId(projection_id))))


@router.post("/{projection_id}/retry", operation_id="retryProjection", responses=problems(404, 503))
async def retry_projection(projection_id: str, of: OfApp) -> Response:
    """Owe it anew, as its next version, unless it is published."""
    return json_response(state_out(await of.projections.retry_one(ProjectionId(projection_id))))


@router.post("/retry", operation_id="retryProjections", responses=problems(400, 408, 409, 422, 503))
async def retry_projections(retry: RetryIn, of: OfApp) -> Response:
    """Owe anew all that match, if they are as many as expected; what is published is left alone."""
    changed = await of.projections.retry_all(retry.filter.to_domain(), retry.expected_count)
    log.info("projections-retried", count=changed, reason=retry.reason)
    skipped = retry.expected_count - changed
    return json_response({"matched": retry.expected_count, "changed": changed, "skipped": skipped})


def state_out(state: ProjectionState) -> dict[str, Any]:
    return {
        "projectionId": state.projection_id,
        "subjectId": state.subject,
        "status": state.status,
        "version": state.version,
        "publishedVersion": state.published_version,
        "attemptCount": state.attempt_count,
        "lastError": state.last_error,
        "pendingSinceMs": state.pending_since_ms,
        "dueAtMs": state.due_at_ms,
        "updatedAtMs": state.updated_at_ms,
        "fingerprint": state.fingerprint,
    }


def summary_out(summary: ProjectionSummary) -> dict[str, Any]:
    return {
        "pending": summary.pending,
        "published": summary.published,
        "failed": summary.failed,
        "due": summary.due,
        "givenUp": summary.given_up,
        "oldestUnpublishedMs": summary.oldest_unpublished_ms,
        "oldestUnpublishedHighMs": summary.oldest_unpublished_high_ms,
        "lastCompleteSweepMs": summary.last_complete_sweep_ms,
        "incarnation": summary.incarnation,
    }
