"""What the screens are told: one event for each change, in order, for as long as it is kept."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from vitalrelay.domain.packet import SubjectId

AS_TEXT = re.compile(r"(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})")
LARGEST = 2**64 - 1


class Position(NamedTuple):
    """A place among the events; what comes later is greater. As text ``ms-number``."""

    ms: int
    number: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"

    @classmethod
    def from_text(cls, text: str) -> "Position | None":
        """None where it is no position of ours."""
        parts = AS_TEXT.fullmatch(text)
        if parts is None:
            return None
        position = cls(int(parts[1]), int(parts[2]))
        return position if max(position) <= LARGEST else None


START = Position(0, 0)


@dataclass(frozen=True, slots=True)
class SnapshotEvent:
    """From here on the screens have this version, or a later one."""

    position: Position
    subject: SubjectId
    incarnation: int
    version: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order; ``up_to`` is where the next page begins, ``last`` that there is none yet."""

    events: Sequence[SnapshotEvent]
    up_to: Position
    last: bool


class Gap(StrEnum):
    """Why it can no longer be told what came after a position."""

    TRIMMED = "trimmed"
    LOST = "lost"


class SnapshotEvents(Protocol):
    """Every method raises StoreUnreachable while the store does not answer."""

    async def newest(self, most: int) -> Page:
        """The last ones, so many at most; START where there is none."""

    async def after(self, position: Position, most: int) -> Page | Gap:
        """
        What came after an event, or since START; so many at most.

        Nothing is left out in silence: where some of it may be gone, the answer is a Gap.
        """

    async def wait_beyond(self, position: Position) -> None:
        """Until there may be more, but not for ever."""
