"""
Durations, counted in log-linear buckets: any number of them, a few kilobytes, one per cent exact.

A duration in nanoseconds keeps its seven leading bits; what is below them is forgotten. So every
power of two is divided into 64 equal buckets, and the middle of a bucket is at most 1/128 away from
anything in it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Final

NANOSECONDS: Final = 1_000_000_000
LONGEST_S: Final = 600.0
KEPT_BITS: Final = 7
HALF: Final = 1 << (KEPT_BITS - 1)

PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


class Histogram:
    """Durations in seconds, from 1 µs to 10 min; what is longer counts as 10 min."""

    __slots__ = ("_buckets", "count", "longest_s", "shortest_s", "total_s")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0
        self.shortest_s = LONGEST_S

    def record(self, seconds: float) -> None:
        """A negative duration, which only a clock can cause, counts as none."""
        seconds = min(max(seconds, 0.0), LONGEST_S)
        self._buckets[_bucket(int(seconds * NANOSECONDS))] += 1
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)
        self.shortest_s = min(self.shortest_s, seconds)

    def merge(self, other: "Histogram") -> None:
        """As if everything recorded there had been recorded here."""
        self._buckets.update(other._buckets)
        self.count += other.count
        self.total_s += other.total_s
        self.longest_s = max(self.longest_s, other.longest_s)
        self.shortest_s = min(self.shortest_s, other.shortest_s)

    def percentile(self, percent: float) -> float | None:
        """The smallest duration that ``percent`` of all do not exceed; None if there are none."""
        return next(iter(self.percentiles([percent])), None)

    def percentiles(self, percents: Iterable[float]) -> Iterator[float]:
        """For rising ``percents``, one walk for all; nothing if there are no durations."""
        if not self.count:
            return
        walk = iter(sorted(self._buckets.items()))
        bucket, reached = next(walk)
        for percent in percents:
            rank = max(1, ceil(percent / 100 * self.count))
            while reached < rank:
                bucket, more = next(walk)
                reached += more
            middle_s = max(_middle_s(bucket), self.shortest_s)
            yield min(middle_s, self.longest_s) if rank < self.count else self.longest_s

    def milliseconds(self) -> dict[str, float | int | None]:
        """The usual percentiles, the mean and the maximum, as reports state them."""
        found = dict(zip(PERCENTILES, self.percentiles(PERCENTILES), strict=False))
        table: dict[str, float | int | None] = {"count": self.count}
        for percent in PERCENTILES:
            table[f"p{percent:g}"] = _ms(found.get(percent))
        table["mean"] = _ms(self.total_s / self.count) if self.count else None
        table["max"] = _ms(self.longest_s) if self.count else None
        return table


def _bucket(nanoseconds: int) -> int:
    shift = max(0, nanoseconds.bit_length() - KEPT_BITS)
    return shift * HALF + (nanoseconds >> shift)


def _middle_s(bucket: int) -> float:
    if bucket < 2 * HALF:
        return bucket / NANOSECONDS
    shift = bucket // HALF - 1
    lowest = (bucket - shift * HALF) << shift
    return (lowest + ((1 << shift) - 1) / 2) / NANOSECONDS


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
