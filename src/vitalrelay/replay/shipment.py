"""What travels in one request: a packet, or a batch of lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from vitalrelay.replay.disturbance import Sending


@dataclass(frozen=True, slots=True)
class Shipment:
    """``due_s`` counts from the start of the run; None: whenever a connection is free."""

    due_s: float | None
    sendings: tuple[Sending, ...]

    @property
    def body(self) -> bytes:
        if len(self.sendings) == 1:
            return self.sendings[0].packet.body
        return b"\n".join(sending.packet.body for sending in self.sendings) + b"\n"

    def only(self, sendings: Iterable[Sending]) -> "Shipment":
        """What is left of it."""
        return Shipment(self.due_s, tuple(sendings))


def in_batches(timed: Iterable[tuple[float | None, Sending]], size: int) -> Iterator[Shipment]:
    """A batch is due when the last packet in it is: until then it is being collected."""
    rest = iter(timed)
    while batch := list(islice(rest, size)):
        yield Shipment(batch[-1][0], tuple(sending for _, sending in batch))
