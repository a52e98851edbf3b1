"""On-call: what is owed, why, and owing it anew with the number said beforehand."""

from dataclasses import dataclass

from vitalrelay.domain.errors import CountChanged, NotFound
from vitalrelay.domain.on_call import ProjectionFilter, ProjectionState, ProjectionSummary
from vitalrelay.domain.projection import ProjectionId
from vitalrelay.ports.on_call import OnCall

EVERYTHING = ProjectionFilter()
START = ProjectionId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectProjections:
    on_call: OnCall

    async def some(
        self, which: ProjectionFilter, limit: int, after: ProjectionId = START
    ) -> list[ProjectionState]:
        return await self.on_call.some(which, limit, after)

    async def one(self, projection: ProjectionId) -> ProjectionState:
        """Raises NotFound."""
        found = await self.on_call.one(projection)
        if found is None:
            raise NotFound
        return found

    async def summary(self) -> ProjectionSummary:
        return await self.on_call.summary()

    async def count(self, which: ProjectionFilter) -> int:
        """How many a retry of this filter would owe anew."""
        return await self.on_call.count(which)

    async def retry_one(self, projection: ProjectionId) -> ProjectionState:
        """Owe it anew, unless it is published. Raises NotFound."""
        await self.one(projection)
        await self.on_call.retry(EVERYTHING, [projection])
        return await self.one(projection)

    async def retry_all(self, which: ProjectionFilter, expected: int) -> int:
        """Owe anew all that match. Raises CountChanged if they are not as many as expected."""
        matching = await self.on_call.count(which)
        if matching != expected:
            raise CountChanged(matching)
        return await self.on_call.retry(which, ())
