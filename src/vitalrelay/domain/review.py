"""What a clinician should look at: one item per encounter, moved by the risk, ended by evidence."""

from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from vitalrelay.domain.assessment import Assessment, RiskLevel
from vitalrelay.domain.errors import NotPossible
from vitalrelay.domain.packet import EncounterId


class ReviewState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"  # by a person
    CLOSED = "closed"  # by the risk going away, or the encounter


class ReviewItem(Struct, frozen=True, kw_only=True):
    """``known``: the parameters known when it was opened; fewer can neither lower nor close it."""

    encounter: EncounterId
    priority: RiskLevel
    state: ReviewState
    updated_ms: int
    known: frozenset[str]
    resolved_by: str | None = None

    @property
    def id(self) -> str:
        return review_item_id(self.encounter)

    def resolved(self, by: str, at_ms: int) -> "ReviewItem":
        """Raises NotPossible once it is closed; resolving it twice is nothing new."""
        match self.state:
            case ReviewState.OPEN:
                return replace(self, state=ReviewState.RESOLVED, resolved_by=by, updated_ms=at_ms)
            case ReviewState.RESOLVED:
                return self
            case ReviewState.CLOSED:
                raise NotPossible(self.state)
            case _:
                assert_never(self.state)

    def closed(self, at_ms: int) -> "ReviewItem":
        return replace(self, state=ReviewState.CLOSED, updated_ms=at_ms)


def review_item_id(encounter: EncounterId) -> str:
    return f"review:{encounter}"


def review_after(
    item: ReviewItem | None, assessment: Assessment, encounter: EncounterId, as_of_ms: int
) -> ReviewItem | None:
    """The encounter's review item once an assessment is in; the same object if nothing moved."""
    level = assessment.risk_level
    if item is None or item.state is ReviewState.CLOSED:
        return _opened(assessment, encounter, as_of_ms) if assessment.review_required else item
    if level.urgency > item.priority.urgency and assessment.review_required:
        if item.state is ReviewState.RESOLVED:
            return _opened(assessment, encounter, as_of_ms)
        return replace(item, priority=level, updated_ms=as_of_ms)
    if level is item.priority or not assessment.knows_as_much_as(item.known):
        return item
    if level is RiskLevel.LOW:
        return item.closed(as_of_ms)
    return replace(item, priority=level, updated_ms=as_of_ms)


def _opened(assessment: Assessment, encounter: EncounterId, as_of_ms: int) -> ReviewItem:
    return ReviewItem(
        encounter=encounter,
        priority=assessment.risk_level,
        state=ReviewState.OPEN,
        updated_ms=as_of_ms,
        known=assessment.known,
    )
