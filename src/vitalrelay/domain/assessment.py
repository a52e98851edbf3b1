"""What a risk model says of a patient, whichever model it is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class RiskLevel(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW_MEDIUM = "low-medium"
    LOW = "low"
    UNKNOWN = "unknown"

    @property
    def urgency(self) -> int:
        """4 is the most urgent; what is unknown stands between low and low-medium."""
        return _URGENCY[self]


_URGENCY = {
    RiskLevel.HIGH: 4,
    RiskLevel.MEDIUM: 3,
    RiskLevel.LOW_MEDIUM: 2,
    RiskLevel.UNKNOWN: 1,
    RiskLevel.LOW: 0,
}


class Completeness(StrEnum):
    COMPLETE = "complete"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class Source(NamedTuple):
    """The signal that fed a component, and when it was true."""

    code: str
    measured_ms: int


class Assessment(Struct, frozen=True, kw_only=True):
    """
    A risk, its bounds, and what it rests on.

    ``score`` is the lower bound: the sum of what is known, None when nothing is known.
    ``upper_bound`` is the score if everything missing were at its worst. ``components`` holds
    points by parameter; what is missing is named in ``missing`` and has no points.
    """

    model_name: str
    model_version: str
    risk_level: RiskLevel
    score: int | None
    upper_bound: int | None
    completeness: Completeness
    missing: tuple[str, ...]
    components: Mapping[str, int]
    sources: Mapping[str, Source]
    any_three: bool
    review_required: bool
    horizon: str = "current"

    @property
    def known(self) -> frozenset[str]:
        """The parameters whose points are told; a measured one may still wait for another."""
        return frozenset(self.components)

    def knows_as_much_as(self, parameters: frozenset[str]) -> bool:
        return parameters <= self.components.keys()
