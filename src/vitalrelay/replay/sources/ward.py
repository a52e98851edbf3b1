"""A ward that is made up: packets without end, the same again for a seed."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from time import time
from typing import Final

from vitalrelay.replay.chance import chance_of
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import Origin, WirePacket, write_packet
from vitalrelay.replay.sources.patient import Patient

CADENCE_S: Final = 2.0
WARD: Final = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9._-]{0,31}):)?([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Ward:
    """``patients`` beds of the site ``name``."""

    name: str
    patients: int

    @classmethod
    def named(cls, text: str) -> "Ward":
        """``ward:24``, or ``24`` alone. Raises WrongUsage for anything else."""
        match = WARD.fullmatch(text)
        if match is None or int(match[2]) == 0:
            raise WrongUsage(f"{text!r} is no ward: it is called like ward:24, or 24 alone")
        return cls(match[1] or "ward", int(match[2]))

    def packets(self, moments: Iterable[int], seed: int) -> Iterator[WirePacket]:
        """One packet per moment (milliseconds since 1970), the patients taking turns."""
        beds = [Bed(self.name, number, seed) for number in range(1, self.patients + 1)]
        for turn, moment_ms in enumerate(moments):
            yield beds[turn % self.patients].packet(moment_ms)


class Bed:
    """One device and its patient. Two packets of one millisecond are told apart by a sequence."""

    def __init__(self, ward: str, number: int, seed: int) -> None:
        self._origin = Origin(site=ward, device=f"bed-{number:04}", subject=f"{ward}-{number:04}")
        self._patient = Patient(chance_of(seed, number))
        self._last_ms: int | None = None
        self._sequence = 0

    def packet(self, moment_ms: int) -> WirePacket:
        last_ms = moment_ms if self._last_ms is None else self._last_ms
        now_ms = max(moment_ms, last_ms)
        same = self._last_ms == now_ms
        self._sequence = self._sequence + 1 if same else 0
        self._last_ms = now_ms
        self._patient.live((now_ms - last_ms) / 1000)
        sequence = self._sequence if same else None
        return write_packet(self._origin, now_ms, self._patient.measure(), sequence)


def moments_from(start_ms: int, spacing_ms: float) -> Iterator[int]:
    return (start_ms + int(turn * spacing_ms) for turn in count())


def moments_as_they_come() -> Iterator[int]:
    """For packets that are sent as soon as they are made."""
    while True:
        yield now_ms()


def now_ms() -> int:
    return int(time() * 1000)
