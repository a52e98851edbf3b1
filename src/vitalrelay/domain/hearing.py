"""
When a patient was last heard of, and when silence is one.

Only what is live counts: a replay of old data says nothing about now, and its end is no silence.
All times are receipts, by the database's clock.
"""

import math

from msgspec import Struct

from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.packet import Received

LIVE_WITHIN_MS = 900_000
UNTIL_LEARNED_MS = 900_000
MISSED = 3  # so many packets of one cadence in a row
LEAST_MS = 120_000
BURST_MS = 1_000  # packets as close as this are one message, and say nothing of a cadence
WEIGHT = 1 / 8


class Hearing(Struct, frozen=True):
    """
    ``heard_ms``: when the last live message began; None: never heard of live. ``cadence_ms``: the
    usual gap between messages.
    """

    heard_ms: int | None = None
    cadence_ms: int | None = None

    def heard(self, received: Received) -> "Hearing":
        """Learn from one live packet; the order of those that come together does not matter."""
        if self.heard_ms is None:
            return Hearing(received.at_ms)
        gap_ms = received.at_ms - self.heard_ms
        if gap_ms < BURST_MS:
            return self
        return Hearing(received.at_ms, self._learned(gap_ms))

    def _learned(self, gap_ms: int) -> int:
        """
        A geometric mean that forgets: one long gap moves it little, a new habit soon.

        The first gap may be an outage: it is believed no longer than silence would have been.
        """
        if self.cadence_ms is None:
            return min(gap_ms, UNTIL_LEARNED_MS)
        return round(self.cadence_ms * math.pow(gap_ms / self.cadence_ms, WEIGHT))

    def silent_ms(self, policy: AlarmPolicy) -> int | None:
        """When silence becomes one; None where nobody is listened for."""
        return None if self.heard_ms is None else self.heard_ms + self._expected_ms(policy)

    def ended_ms(self, policy: AlarmPolicy) -> int | None:
        """When the patient counts as not monitored any more."""
        return None if self.heard_ms is None else self.heard_ms + policy.not_monitored_after_ms

    def _expected_ms(self, policy: AlarmPolicy) -> int:
        if policy.no_data_after_ms is not None:
            return policy.no_data_after_ms
        if self.cadence_ms is None:
            return UNTIL_LEARNED_MS
        return max(MISSED * self.cadence_ms, LEAST_MS)


def live(received: Received) -> bool:
    """Whether a packet speaks of now: measured shortly before it came."""
    return received.at_ms - received.effective_ms <= LIVE_WITHIN_MS
