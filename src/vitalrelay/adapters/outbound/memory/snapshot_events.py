"""The events in memory, and what may happen to them."""

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field

from vitalrelay.domain.errors import StoreUnreachable
from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import START, Gap, Page, Position, SnapshotEvent

LONGEST_WAIT_S = 1.0


@dataclass(slots=True)
class MemorySnapshotEvents:
    """``held`` are the events, oldest first."""

    held: list[SnapshotEvent] = field(default_factory=list)
    _newest: Position = START
    _now_ms: int = 0
    _trimmed: bool = False
    _away: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, subject: str, version: int = 1) -> SnapshotEvent:
        self._now_ms += 1
        self._newest = Position(self._now_ms, 0)
        event = SnapshotEvent(self._newest, SubjectId(subject), 1, version, f"sha256:{version}")
        self.held.append(event)
        self._changed.set()
        return event

    def trim(self, keep: int) -> None:
        self._trimmed |= len(self.held) > keep
        del self.held[: len(self.held) - keep]

    def lose(self) -> None:
        """Everything, and that there was anything."""
        self.held.clear()
        self._newest, self._trimmed = START, False
        self._changed.set()

    def fall_back(self, by: int) -> None:
        """To an older copy, which does not have the last ones; its clock is as much behind."""
        del self.held[len(self.held) - by :]
        self._now_ms -= by
        self._newest = Position(self._now_ms, 0)
        self._changed.set()

    def answer(self, whether: bool) -> None:
        self._away = not whether
        self._changed.set()

    async def newest(self, most: int) -> Page:
        self._answers()
        events = self.held[-most:]
        return Page(events, events[-1].position if events else START, last=True)

    async def after(self, position: Position, most: int) -> Page | Gap:
        self._answers()
        positions = [event.position for event in self.held]
        if position == START:
            if self._trimmed and positions:
                return Gap.TRIMMED
        elif position not in (*positions, self._newest):
            before = position < min(positions, default=START)
            return Gap.TRIMMED if before and self._trimmed else Gap.LOST
        events = self.held[bisect_right(positions, position) :]
        page = events[:most]
        return Page(page, page[-1].position if page else position, last=len(events) <= most)

    async def wait_beyond(self, position: Position) -> None:
        self._answers()
        if self._newest > position:
            return
        self._changed.clear()
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._answers()

    def _answers(self) -> None:
        if self._away:
            raise StoreUnreachable("away")
