"""
When each packet is due: absolute times, counted from the start of the run.

Nothing is ever measured from the send before. A send that comes late is late, and the next one is
due when it would have been anyway.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from vitalrelay.replay.disturbance import Sending
from vitalrelay.replay.errors import WrongUsage


@dataclass(frozen=True, slots=True)
class Rate:
    """So many packets per second, whatever their timestamps say."""

    per_second: float

    def __post_init__(self) -> None:
        if not self.per_second > 0:
            raise WrongUsage("the rate must be above 0 packets per second")


@dataclass(frozen=True, slots=True)
class Speed:
    """As the timestamps say, ``factor`` times as fast."""

    factor: float = 1.0

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise WrongUsage("the speed must be above 0")


@dataclass(frozen=True, slots=True)
class AsFastAsPossible:
    """Whenever a connection is free. Nothing is due, so waiting for a turn is not latency."""


Pace = Rate | Speed | AsFastAsPossible


def due_times(pace: Pace, sendings: Iterable[Sending]) -> Iterator[tuple[float | None, Sending]]:
    """Each sending with the second it is due; None where nothing is."""
    match pace:
        case Rate(per_second):
            return ((turn / per_second, sending) for turn, sending in enumerate(sendings))
        case Speed(factor):
            return _at_speed(factor, sendings)
        case AsFastAsPossible():
            return ((None, sending) for sending in sendings)
        case _:
            assert_never(pace)


def _at_speed(factor: float, sendings: Iterable[Sending]) -> Iterator[tuple[float, Sending]]:
    """What is earlier than something already sent is due at once."""
    first_ms: float | None = None
    due_s = 0.0
    for sending in sendings:
        first_ms = sending.moment_ms if first_ms is None else first_ms
        due_s = max(due_s, (sending.moment_ms - first_ms) / 1000 / factor)
        yield due_s, sending
