"""What a clinician should look at next: the queue's order, and what somebody may ask of it."""

from dataclasses import dataclass
from datetime import timedelta

from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.document import Document
from vitalrelay.domain.packet import SubjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """All conditions hold at once; ``older_than`` counts from the item's last move."""

    site: str | None = None
    priority: RiskLevel | None = None
    older_than: timedelta | None = None


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a page ended: most urgent first, then most recently moved, then by id."""

    urgency: int
    updated_ms: int
    item: str


@dataclass(frozen=True, slots=True)
class QueueItem:
    subject: SubjectId
    site: str
    place: QueuePlace
    document: Document
