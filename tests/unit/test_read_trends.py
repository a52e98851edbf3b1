"""What is settled before a patient's packets are looked at."""

from dataclasses import dataclass, field

import pytest

from tests.support import NOW_MS
from vitalrelay.domain.errors import InvalidRequest, NotFound
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.trend import Asked, Summary, Trend
from vitalrelay.usecases.read_trends import ReadTrends

PATIENT, STRANGER = SubjectId("p-1"), SubjectId("p-2")
USUAL = Asked(None, None, 300)
NOTHING = Summary(
    count=0, min=None, max=None, mean=None, median=None, p5=None, p95=None, slope_per_hour=None
)


@dataclass
class OnePatient:
    """Whose newest packet is of NOW_MS, without a value."""

    looked_at: list[SubjectId] = field(default_factory=list)

    async def trend(self, subject: SubjectId, code: str, asked: Asked) -> Trend | None:
        self.looked_at.append(subject)
        if subject != PATIENT:
            return None
        return Trend(
            unit="/min",
            window=asked.window(NOW_MS),
            summary=NOTHING,
            excluded=0,
            outlier_count=0,
            outliers=[],
            buckets=[],
        )


async def test_a_patients_trend_is_of_the_window_asked_for() -> None:
    trends = OnePatient()

    trend = await ReadTrends(trends=trends)(PATIENT, "heart_rate", USUAL)

    assert trend.window == USUAL.window(NOW_MS)


async def test_nobodys_trend_is_not_found() -> None:
    trends = OnePatient()

    with pytest.raises(NotFound):
        await ReadTrends(trends=trends)(STRANGER, "heart_rate", USUAL)

    assert trends.looked_at == [STRANGER]


@pytest.mark.parametrize("code", ["heart", "consciousness", ""])
async def test_for_what_has_no_trend_nothing_is_looked_at(code: str) -> None:
    trends = OnePatient()

    with pytest.raises(InvalidRequest):
        await ReadTrends(trends=trends)(PATIENT, code, USUAL)

    assert trends.looked_at == []
