"""A patient's values over time, summed up where they are kept."""

from typing import Protocol

from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.trend import Asked, Trend


class Trends(Protocol):
    async def trend(self, subject: SubjectId, code: str, asked: Asked) -> Trend | None:
        """
        The values of a numeric signal in the window asked for, by their effective times.

        None for somebody who is no patient here. It looks at packets within LATENESS_MS of the
        window, and at those whose clock is ahead of ours. Raises InvalidRequest for what is no
        window and where these packets are more than MOST_PACKETS, Overloaded where too many ask
        for trends already, and StorageUnavailable while the database does not answer.
        """
