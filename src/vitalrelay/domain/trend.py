"""
What one signal of a patient did over time: which time is meant, and what is told of it.

The time of a value is its effective time, the earlier of measured and received, and each time
counts once: a monitor repeats its last cuff pressure in packet after packet. Only values that a
snapshot would call good count, in the canonical unit; a patient's stays are taken together.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from vitalrelay.domain.errors import InvalidRequest
from vitalrelay.domain.packet import PacketId
from vitalrelay.domain.signals import CATALOGUE, Numeric, closest_codes

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

MOST_DAYS, MOST_BUCKETS, MOST_PACKETS = 31, 2_000, 250_000
USUAL_BUCKET_S, LONGEST_BUCKET_S = 300, 86_400

# How far a value's time may be from that of its packet: a cuff's is half an hour old at times.
LATENESS_MS: Final = HOUR_MS

# B. Iglewicz, D. C. Hoaglin: How to Detect and Handle Outliers, 1993. The modified z-score is
# 0.6745 (x - median) / MAD; where more than half of all values are equal, and the MAD is 0,
# the mean absolute deviation from the median times 1.253314 stands for MAD / 0.6745.
OF_MEDIAN_DEVIATION, OF_MEAN_DEVIATION, OUTLYING_Z = 0.6745, 1.253314, 3.5
SMALLEST_DEVIATION: Final = 1e-9  # less is what binary fractions make of 0
MOST_OUTLIERS: Final = 100


class Window(Struct, frozen=True):
    """Unix milliseconds, the start within and the end without; buckets are aligned to 1970."""

    start_ms: int
    end_ms: int
    bucket_ms: int

    @property
    def buckets(self) -> int:
        """How many it touches: the first and the last may lie in it only in part."""
        return (self.end_ms - 1) // self.bucket_ms - self.start_ms // self.bucket_ms + 1


class Asked(Struct, frozen=True):
    """A window as somebody asks for it."""

    start_ms: int | None
    end_ms: int | None
    bucket_s: int

    def window(self, newest_ms: int) -> Window:
        """
        Without an end it ends with the patient's newest packet, whatever the clock says; without
        a start it is 24 hours long.

        Raises InvalidRequest for one that ends before it begins, for more than 31 days, and for
        more than 2,000 buckets.
        """
        end_ms = self.end_ms
        if end_ms is None:
            end_ms = max(newest_ms, self.start_ms or 0) + 1
        start_ms = max(0, end_ms - DAY_MS) if self.start_ms is None else self.start_ms
        if end_ms <= start_ms:
            raise InvalidRequest("to", "must be after from")
        if end_ms - start_ms > MOST_DAYS * DAY_MS:
            raise InvalidRequest("from", f"must be within {MOST_DAYS} days of the end")
        window = Window(start_ms, end_ms, self.bucket_s * 1000)
        if window.buckets > MOST_BUCKETS:
            raise InvalidRequest("bucketSeconds", f"makes more than {MOST_BUCKETS} buckets")
        return window


class Summary(Struct, frozen=True, kw_only=True):
    """
    Values described; all None where there are none.

    Percentiles lie between values where need be. The slope is that of the least squares, per
    hour, and None below two values.
    """

    count: int
    min: float | None
    max: float | None
    mean: float | None
    median: float | None
    p5: float | None
    p95: float | None
    slope_per_hour: float | None


class Bucket(Struct, frozen=True):
    start_ms: int
    summary: Summary


class Outlier(Struct, frozen=True):
    """A value far from the median of the window, by its modified z-score."""

    at_ms: int
    value: float
    z: float
    packet: PacketId


class Trend(Struct, frozen=True, kw_only=True):
    """
    A window summed up, and each of its buckets that has a value.

    ``excluded`` are the times for which something was sent, and nothing good. ``outliers`` are
    in the order of time; where they are too many, those farthest from the median.
    """

    unit: str
    window: Window
    summary: Summary
    excluded: int
    outlier_count: int
    outliers: Sequence[Outlier]
    buckets: Sequence[Bucket]


def numeric(code: str) -> Numeric:
    """What is known of a signal with numbers. Raises InvalidRequest for any other code."""
    kind = CATALOGUE.get(code)
    if isinstance(kind, Numeric):
        return kind
    if kind is not None:
        raise InvalidRequest("code", "is not the code of a number")
    closest = closest_codes(code)
    hint = f"; the closest known are {', '.join(closest)}" if closest else ""
    raise InvalidRequest("code", f"is not a known signal code{hint}")
