"""Which score a patient gets: another model is another adapter of this, and nothing else."""

from typing import Protocol

from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.snapshot import Encounter


class RiskModel(Protocol):
    def __call__(self, encounter: Encounter) -> Assessment:
        """
        Assess one stay as of its own newest time, without a clock and without a look elsewhere.

        The same packets give the same assessment today and in an audit next year.
        """
