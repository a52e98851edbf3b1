"""A stream of packets, with what has to be known to send it well."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from vitalrelay.replay.pacing import AsFastAsPossible, Pace
from vitalrelay.replay.packets import WirePacket


@dataclass(slots=True)
class Census:
    """What was found in the source, and what of it was no packet."""

    rows: int = 0
    without_signal: int = 0
    unreadable: int = 0

    def document(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "withoutSignal": self.without_signal,
            "unreadable": self.unreadable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    ``packets`` are out of time order by ``late_by_s`` at most. ``may_block``: the next one may be
    long in coming, so nobody who has other work should wait for it. ``asked``: the pace that was
    asked for, where the source has made it its own.
    """

    name: str
    format: str
    packets: Iterator[WirePacket]
    census: Census = field(default_factory=Census)
    pace: Pace = field(default_factory=AsFastAsPossible)
    asked: Pace | None = None
    late_by_s: float = 0.0
    may_block: bool = False

    def close(self) -> None:
        """Let go of a file that was not read to its end; not while another thread reads it."""
        if isinstance(self.packets, Generator):
            self.packets.close()
