"""What somebody who is woken asks of the projections; never their content."""

from collections.abc import Sequence
from typing import Protocol

from vitalrelay.domain.on_call import ProjectionFilter, ProjectionState, ProjectionSummary
from vitalrelay.domain.projection import ProjectionId


class OnCall(Protocol):
    """Every method raises StorageUnavailable while the database does not answer."""

    async def some(
        self, which: ProjectionFilter, limit: int, after: ProjectionId
    ) -> list[ProjectionState]:
        """In order of their ids, those after ``after``; "" is the start."""

    async def one(self, projection: ProjectionId) -> ProjectionState | None:
        """None where there is no such patient."""

    async def summary(self) -> ProjectionSummary:
        """How much is owed, and since when."""

    async def count(self, which: ProjectionFilter) -> int:
        """How many match, as of now."""

    async def retry(self, which: ProjectionFilter, projections: Sequence[ProjectionId]) -> int:
        """
        Owe anew those that match and are among these (none given: all that match).

        What is published already is left alone. Returns how many were owed anew.
        """
