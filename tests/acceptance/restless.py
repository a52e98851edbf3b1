"""A patient who is never well for long: alarms are raised, end, and flicker."""

from collections.abc import Iterator, Mapping
from random import Random

APART_MS = 3_000  # in event time: what flickers does it within the re-arm time, or not quite
LATE_MS = 100_000
HOURS_AGO_MS = 13_200_000  # three and two thirds: what was measured then is too old before long
SITE = "site-restless"

# The least, the most, and half of the longest step between two packets: into red, and out again.
WALKS: Mapping[str, tuple[float, float, float]] = {
    "heart_rate": (36, 134, 3),
    "respiratory_rate": (10, 26, 0.6),
    "spo2": (90.5, 99, 0.3),
    "systolic_bp": (88, 135, 2),
    "temperature": (34.8, 39.3, 0.12),
}


class RestlessPatient:
    """The same packets for the same seed; in event time they end shortly before ``now_ms``."""

    def __init__(self, subject: str, seed: int, now_ms: int) -> None:
        self.subject = subject
        self._now_ms = now_ms
        self._chance = Random(seed)
        self._values = {code: (least + most) / 2 for code, (least, most, _) in WALKS.items()}

    def packets(self, count: int) -> Iterator[dict]:
        for number in range(count):
            at_ms = self._now_ms - (count - number) * APART_MS
            late_ms = self._chance.randint(1, LATE_MS) if self._chance.random() < 0.1 else 0
            yield {
                "siteId": SITE,
                "deviceId": f"bed-{self.subject}",
                "subjectId": self.subject,
                "timestampMs": at_ms - late_ms,
                "sequence": number,
                "signals": list(self._signals(number / count, at_ms)),
            }

    def _signals(self, part: float, at_ms: int) -> Iterator[dict]:
        """``part`` of the time is over. Of the temperature nothing is heard in the middle of it."""
        if part == 0:
            yield {"code": "consciousness", "value": "A"}
            yield {"code": "temperature", "value": 34.8, "measuredAtMs": at_ms - HOURS_AGO_MS}
        for code in WALKS:
            value = self._step(code)
            if code == "temperature" and part < 0.7:
                continue
            if code == "heart_rate" or self._chance.random() < 0.8:
                yield {"code": code, "value": value} | self._doubt()
        if self._chance.random() < 0.02:
            yield {"code": "consciousness", "value": self._chance.choice("AAV")}
        if self._chance.random() < 0.03:
            yield {"code": "supplemental_oxygen", "value": self._chance.random() < 0.5}

    def _step(self, code: str) -> float:
        least, most, step = WALKS[code]
        moved = self._values[code] + self._chance.uniform(-2, 2) * step
        self._values[code] = min(most, max(least, moved))
        return round(self._values[code], 1)

    def _doubt(self) -> dict:
        return {"quality": "questionable"} if self._chance.random() < 0.05 else {}
