"""Acknowledgements over time: a few hundred slots, however long it takes."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from vitalrelay.replay.histogram import Histogram

MOST_SLOTS: Final = 240


class Point(NamedTuple):
    """One slot: when it began, how much was acknowledged per second, and how late (ms)."""

    second: float
    per_second: float
    p50_ms: float
    p99_ms: float

    def document(self) -> dict[str, float]:
        return {
            "second": self.second,
            "perSecond": self.per_second,
            "p50Ms": self.p50_ms,
            "p99Ms": self.p99_ms,
        }


class Series:
    """Slots of a second, which grow to two, four, eight seconds when there get too many."""

    def __init__(self) -> None:
        self._width_s = 1
        self._slots: dict[int, Histogram] = {}

    def record(self, second: float, latency_s: float) -> None:
        slot = int(second / self._width_s)
        if slot >= MOST_SLOTS:
            self._widen()
            return self.record(second, latency_s)
        self._slots.setdefault(slot, Histogram()).record(latency_s)
        return None

    def points(self, until_s: float) -> Iterator[Point]:
        """Also the seconds in which nothing was acknowledged."""
        for slot in range(max(self._slots, default=-1) + 1):
            began_s = slot * self._width_s
            lasted_s = min(self._width_s, max(until_s - began_s, self._width_s / 2))
            latencies = self._slots.get(slot, Histogram())
            p50, p99 = list(latencies.percentiles((50.0, 99.0))) or (0.0, 0.0)
            yield Point(
                began_s,
                round(latencies.count / lasted_s, 3),
                round(p50 * 1000, 3),
                round(p99 * 1000, 3),
            )

    def _widen(self) -> None:
        slots, self._slots = self._slots, {}
        self._width_s *= 2
        for slot, latencies in slots.items():
            self._slots.setdefault(slot // 2, Histogram()).merge(latencies)
