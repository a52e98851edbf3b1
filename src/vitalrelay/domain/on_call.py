"""What on-call is told of projections: how they stand, one by one and all together."""

from datetime import timedelta

from msgspec import Struct

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import ProjectionId, ProjectionStatus


class ProjectionState(Struct, frozen=True, kw_only=True):
    """What on-call sees of a projection; never its content. Times in milliseconds."""

    projection_id: ProjectionId
    subject: SubjectId
    status: ProjectionStatus
    version: int
    published_version: int | None
    attempt_count: int
    last_error: str | None
    pending_since_ms: int | None
    due_at_ms: int | None
    updated_at_ms: int
    fingerprint: str


class ProjectionFilter(Struct, frozen=True, kw_only=True):
    """Which projections are meant. All conditions hold at once; None asks for nothing."""

    status: ProjectionStatus | None = None
    older_than: timedelta | None = None
    subject: SubjectId | None = None


class ProjectionSummary(Struct, frozen=True, kw_only=True):
    """How much is owed, how long already, and how much waits for an operator."""

    pending: int
    published: int
    failed: int
    due: int
    given_up: int
    oldest_unpublished_ms: int | None  # age of the oldest; None when nothing is owed
    oldest_unpublished_high_ms: int | None
    last_complete_sweep_ms: int | None  # when, milliseconds since 1970
    incarnation: int
