"""Everything that decides what is sent, where, and when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from vitalrelay.replay.disturbance import Disturbance, in_order_of_moments
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.pacing import AsFastAsPossible, Pace, Rate, Speed, due_times
from vitalrelay.replay.patience import Patience
from vitalrelay.replay.shipment import Shipment, in_batches
from vitalrelay.replay.sources.source import Source
from vitalrelay.replay.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``packets`` and ``duration_s`` bound the run; without them the end of the source does."""

    source: Source
    target: Target
    disturbance: Disturbance = field(default_factory=Disturbance)
    patience: Patience = field(default_factory=Patience)
    connections: int = 16
    batch: int = 1
    packets: int | None = None
    duration_s: float | None = None
    ack_log: Path | None = None
    max_p99_ms: float | None = None

    def __post_init__(self) -> None:
        if self.connections < 1 or self.batch < 1:
            raise WrongUsage("--connections and --batch are whole numbers from 1")
        if any(bound is not None and not bound > 0 for bound in (self.packets, self.duration_s)):
            raise WrongUsage("--packets and --duration must be above 0")

    def shipments(self) -> Iterator[Shipment]:
        """In the order in which they are due. They can be asked for once."""
        sendings = self.disturbance.disturb(islice(self.source.packets, self.packets))
        if isinstance(self.source.pace, Speed) or self.disturbance.shuffle_s:
            sendings = in_order_of_moments(sendings, self.source.late_by_s)
        return in_batches(due_times(self.source.pace, sendings), self.batch)

    def pace_in_words(self) -> str:
        return _spoken(self.source.asked or self.source.pace)

    def settings(self) -> dict[str, object]:
        """As reports state them; no secrets in it."""
        return {
            "source": self.source.name,
            "format": self.source.format,
            "pace": self.pace_in_words(),
            "connections": self.connections,
            "batch": self.batch,
            "duplicates": self.disturbance.duplicates,
            "shuffleS": self.disturbance.shuffle_s,
            "corrupt": self.disturbance.corrupt,
            "packets": self.packets,
            "durationS": self.duration_s,
            "giveUpAfterS": self.patience.give_up_after_s,
            "timeoutS": self.patience.silence_s,
            "ackLog": str(self.ack_log) if self.ack_log else None,
        }


def _spoken(pace: Pace) -> str:
    match pace:
        case Rate(per_second):
            return f"{per_second:g} packets per second"
        case Speed(1):
            return "in real time"
        case Speed(factor):
            return f"{factor:g} times as fast as it happened"
        case AsFastAsPossible():
            return "as fast as possible"
