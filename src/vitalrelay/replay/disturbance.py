"""
What networks and devices do to a stream: repeat, reorder, damage. The same again under one seed.

Every kind of disturbance has its own source of chance, so turning one on does not move the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush
from typing import Final

from vitalrelay.replay.chance import chance_of
from vitalrelay.replay.damage import damaged
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import WirePacket

LONGEST_SHUFFLE_S: Final = 31_536_000.0  # a year


class Part(Enum):
    """Which part a packet was given, and so what is expected: a damaged one is to be refused."""

    ORIGINAL = "original"
    REPEAT = "repeat"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Sending:
    """One packet to be sent once. ``moment_ms`` is its place among the others, on event time."""

    packet: WirePacket
    part: Part
    happened_ms: int
    moment_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """Shares are of all packets. A packet that is damaged is neither sent intact nor repeated."""

    duplicates: float = 0.0
    shuffle_s: float = 0.0
    corrupt: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, share in (("duplicates", self.duplicates), ("corrupt", self.corrupt)):
            if not 0 <= share <= 1:
                raise WrongUsage(f"--{name} is a share: from 0 to 1")
        if not 0 <= self.shuffle_s <= LONGEST_SHUFFLE_S:
            raise WrongUsage(f"--shuffle is a number of seconds, up to {LONGEST_SHUFFLE_S:g}")

    @property
    def sendings_per_packet(self) -> float:
        return 1 + self.duplicates * (1 - self.corrupt)

    def disturb(self, packets: Iterable[WirePacket]) -> Iterator[Sending]:
        """Everything that will be sent, each with its moment, still in the order of the source."""
        harm, kind = chance_of(self.seed, "harm"), chance_of(self.seed, "kind")
        repeat, delay = chance_of(self.seed, "repeat"), chance_of(self.seed, "delay")
        newest_ms = 0
        for packet in packets:
            happened_ms = newest_ms if packet.timestamp_ms is None else packet.timestamp_ms
            newest_ms = max(newest_ms, happened_ms)
            harmed, repeated = harm.random() < self.corrupt, repeat.random() < self.duplicates
            sent = damaged(packet, kind) if harmed else packet
            parts = [Part.DAMAGED] if harmed else [Part.ORIGINAL, Part.REPEAT][: 1 + repeated]
            for part in parts:
                moment_ms = happened_ms + delay.uniform(0, self.shuffle_s * 1000)
                yield Sending(sent, part, happened_ms, moment_ms)


def in_order_of_moments(sendings: Iterable[Sending], late_by_s: float) -> Iterator[Sending]:
    """
    Sorted, as far as the source itself is out of order by ``late_by_s`` at most.

    What is later than that goes out as soon as it is met. Only what a later line could still
    overtake is held back.
    """
    waiting: list[tuple[float, int, Sending]] = []
    newest_ms = 0
    for number, sending in enumerate(sendings):
        heappush(waiting, (sending.moment_ms, number, sending))
        newest_ms = max(newest_ms, sending.happened_ms)
        while waiting and waiting[0][0] <= newest_ms - late_by_s * 1000:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]
