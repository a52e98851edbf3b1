"""
A circuit breaker: after an outage was seen, one probe at a time until the store answers again.

Closed: everybody may try. Open: nobody. Half-open, once the pause is over: one batch may.
"""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum

from vitalrelay.domain.projection import Outcome, Unreachable


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    def __init__(self, pause: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = BreakerState.CLOSED
        self._pause_s = pause.total_seconds()
        self._clock = clock
        self._probe_at = 0.0

    def lets_through(self) -> bool:
        """Whether to try now. After a yes in the half-open state, the next yes is a pause away."""
        if self.state is BreakerState.CLOSED:
            return True
        now = self._clock()
        if now < self._probe_at:
            return False
        self.state = BreakerState.HALF_OPEN
        self._probe_at = now + self._pause_s
        return True

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """What the store answered; one unreachable is enough to open. No answer tells nothing."""
        outcomes = list(outcomes)
        if not outcomes:
            return
        if any(isinstance(outcome, Unreachable) for outcome in outcomes):
            self.state = BreakerState.OPEN
            self._probe_at = self._clock() + self._pause_s
        else:
            self.state = BreakerState.CLOSED
