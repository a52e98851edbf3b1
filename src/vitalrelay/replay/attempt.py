"""One packet, sent once, and the answer to it."""

from typing import NamedTuple

from vitalrelay.replay.answers import Fate, Reply
from vitalrelay.replay.disturbance import Sending


class Attempt(NamedTuple):
    """Three moments: when the packet was meant to go first, when it went now, ``reply.at``."""

    sending: Sending
    number: int
    intended: float
    sent: float
    reply: Reply

    @property
    def latency_s(self) -> float:
        """What a gateway waited, whatever the reason."""
        return self.reply.at - self.intended

    @property
    def service_s(self) -> float:
        """What this attempt took."""
        return self.reply.at - self.sent

    @property
    def fate(self) -> Fate:
        return self.reply.fate
