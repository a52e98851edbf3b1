"""The relay's view: what is owed, where it goes, and what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from vitalrelay.domain.projection import Claim, Outcome, Verdict


class Projections(Protocol):
    async def claim(self, limit: int, lease_for: timedelta) -> list[Claim]:
        """
        Lease what is due, most urgent first, then longest overdue.

        Nobody else gets it until the lease lapses. Raises StorageUnavailable.
        """

    async def settle(self, judged: Sequence[tuple[Claim, Verdict]]) -> int:
        """
        Record the verdicts of claims that are still ours; returns how many were.

        A claim is no longer ours once its lease was taken over or a newer version was owed.
        Raises StorageUnavailable; the claims then fall due again.
        """


class SnapshotPublisher(Protocol):
    async def publish(self, claims: Sequence[Claim]) -> list[Outcome]:
        """
        One outcome per claim, in their order; an outage is an outcome, not an exception.

        Publishing is safe to repeat and to reorder: a screen never goes back to an older version.
        """
