"""What was planned, what was tried, and what became of it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from vitalrelay.replay.answers import Fate
from vitalrelay.replay.attempt import Attempt
from vitalrelay.replay.clock import Clock
from vitalrelay.replay.disturbance import Part, Sending
from vitalrelay.replay.histogram import Histogram
from vitalrelay.replay.series import Series

EXPECTED: Final = {
    Part.ORIGINAL: Fate.ACKNOWLEDGED,
    Part.REPEAT: Fate.ACKNOWLEDGED,
    Part.DAMAGED: Fate.REFUSED,
}


class Tally:
    """Latency is that of acknowledged packets, service time that of every answer that came."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.planned: Counter[Part] = Counter()
        self.outcomes: dict[Part, Counter[str]] = {part: Counter() for part in Part}
        self.fates: dict[Part, Counter[Fate]] = {part: Counter() for part in Part}
        self.attempts: Counter[str] = Counter()
        self.again = 0
        self.gave_up = 0
        self.latency, self.service, self.slip = Histogram(), Histogram(), Histogram()
        self.series = Series()
        self.ended_s = 0.0

    def plan(self, sendings: Iterable[Sending]) -> None:
        self.planned.update(sending.part for sending in sendings)

    def count(self, attempt: Attempt) -> None:
        self.attempts[attempt.reply.outcome] += 1
        self.again += attempt.number > 1
        if attempt.reply.status:
            self.service.record(attempt.service_s)

    def settle(self, attempt: Attempt) -> None:
        """The last word on this packet."""
        self.outcomes[attempt.sending.part][attempt.reply.outcome] += 1
        self.fates[attempt.sending.part][attempt.fate] += 1
        self.ended_s = max(self.ended_s, self.clock.seconds_at(attempt.reply.at))
        if attempt.fate is Fate.ACKNOWLEDGED:
            self.latency.record(attempt.latency_s)
            self.series.record(self.clock.seconds_at(attempt.reply.at), attempt.latency_s)

    def give_up(self, attempt: Attempt) -> None:
        self.gave_up += 1
        self.settle(attempt)

    def total(self, fate: Fate) -> int:
        return sum(fates[fate] for fates in self.fates.values())

    def all_outcomes(self) -> Counter[str]:
        return sum(self.outcomes.values(), Counter())

    @property
    def open(self) -> int:
        """Planned, and without a last word."""
        return self.planned.total() - self.all_outcomes().total()

    def disappointed(self, part: Part) -> int:
        """How many of this part met another fate than was expected."""
        return self.planned[part] - self.fates[part][EXPECTED[part]]
