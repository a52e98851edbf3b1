"""A patient's trend, of a signal that has one."""

from dataclasses import dataclass

from vitalrelay.domain.errors import NotFound
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.trend import Asked, Trend, numeric
from vitalrelay.ports.trends import Trends


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrends:
    trends: Trends

    async def __call__(self, subject: SubjectId, code: str, asked: Asked) -> Trend:
        """Raises InvalidRequest, NotFound for somebody who is no patient here, and Overloaded."""
        numeric(code)
        trend = await self.trends.trend(subject, code, asked)
        if trend is None:
            raise NotFound
        return trend
