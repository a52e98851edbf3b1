"""One screen that is told of snapshots: what came since it was told last, then all that comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vitalrelay.adapters.inbound.server_sent import Told, say, say_now, told
from vitalrelay.adapters.inbound.snapshot_ring import Piece, Ring, Wanted
from vitalrelay.domain.errors import StoreUnreachable
from vitalrelay.ports.snapshot_events import Gap, Page, Position, SnapshotEvents

AT_ONCE = 500  # events in one reading
PAUSE_S = 1.0

Tell = Callable[[bytes], Awaitable[None]]


class Streamed(StrEnum):
    """Events that were read, resyncs that were told, screens that were too slow."""

    EVENT = "event"
    RESYNC = "resync"
    DROPPED = "dropped"


class Observer(Protocol):
    def streamed(self, what: Streamed, count: int = 1) -> None:
        """So much more of it."""

    def watched_by(self, screens: int) -> None:
        """So many screens are connected now."""


@dataclass(slots=True)
class Live:
    """What all screens share."""

    events: SnapshotEvents
    observer: Observer
    ring: Ring
    reach: int  # more events than these are not caught up with
    heartbeat_s: float
    answers: asyncio.Event = field(default_factory=asyncio.Event)  # the store does
    closed: bool = False
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reach_back(self, ring: Ring, to: Position) -> Gap | None:
        """
        Make the ring hold what came after an event; or say why that cannot be told any more.

        For all who come back together it is read once. Raises StoreUnreachable, also where the
        store is not as far as the ring is: it lost something, and the reader will find out.
        """
        async with self._one_at_a_time:
            if ring.number_of(to) is not None:
                return None
            if not self.answers.is_set():
                raise StoreUnreachable
            found: list[Told] = []
            page = await self.events.after(to, AT_ONCE)
            while isinstance(page, Page):
                found += [told(event) for event in page.events]
                if len(found) > self.reach:
                    return Gap.TRIMMED
                if page.up_to >= ring.floor:
                    ring.reach_back(to, found)
                    return None
                if page.last:
                    raise StoreUnreachable
                page = await self.events.after(page.up_to, AT_ONCE)
            return page


class Screen:
    """``busy`` means that it takes its time to hear something."""

    def __init__(self, live: Live, tell: Tell, after: Position | None, wanted: Wanted) -> None:
        self._live = live
        self._tell = tell
        self._wanted = wanted
        self._ring = live.ring
        self._position = live.ring.up_to if after is None else after
        # The piece that it is told next; None where the ring does not reach back so far.
        self._number = live.ring.end if after is None else live.ring.number_of(after)
        self._since = live.ring.end  # notices of before are news no more
        self.busy = False

    async def follow(self) -> None:
        """Until the feed is closed. Raises FellBehind."""
        await self._greet()
        while self._number is None and not self._live.closed:
            if self._live.answers.is_set():
                await self._find_place()
            else:
                await self._sit_out()
        await self._keep_up()

    async def _greet(self) -> None:
        beat_s = self._live.heartbeat_s
        await self._say(say_now("hello", self._position, heartbeatSeconds=beat_s))
        if self._number is not None and not self._live.answers.is_set():
            await self._say(say_now("interrupted"))

    async def _find_place(self) -> None:
        self._ring = self._live.ring
        try:
            gap = await self._live.reach_back(self._ring, self._position)
        except StoreUnreachable:
            await asyncio.sleep(PAUSE_S)  # by then the reader has found out, too
            return
        if gap is not None:
            await self._begin_anew(self._live.ring, gap)
        else:
            self._number = self._ring.number_beyond(self._position)
            self._since = self._ring.end

    async def _begin_anew(self, ring: Ring, missed: Gap) -> None:
        self._ring, self._position = ring, ring.up_to
        self._number = self._since = ring.end
        self._live.observer.streamed(Streamed.RESYNC)
        await self._say(say("resync", {"reason": missed}, self._position))

    async def _sit_out(self) -> None:
        """As long as the store does not answer, all there is to hear is that we are still here."""
        await self._say(say_now("interrupted"))
        while not (self._live.answers.is_set() or self._live.closed):
            try:
                async with asyncio.timeout(self._live.heartbeat_s):
                    await self._live.answers.wait()
            except TimeoutError:
                await self._say(say_now("heartbeat"))
        if not self._live.closed:
            await self._say(say_now("resumed"))

    async def _keep_up(self) -> None:
        while self._number is not None and not self._live.closed:
            ring = self._ring
            if self._number < ring.end:
                await self._hear(ring.piece(self._number, self._position))
            elif ring.next is not None and ring.missed is not None:
                await self._begin_anew(ring.next, ring.missed)
            else:
                await ring.grows()

    async def _hear(self, piece: Piece) -> None:
        assert self._number is not None
        news = piece.events or self._number >= self._since
        said = piece.part(self._position, self._wanted) if news else b""
        self._position = max(self._position, piece.up_to)
        self._number += 1
        await self._say(said)

    async def _say(self, said: bytes) -> None:
        if said:
            self.busy = True
            await self._tell(said)
            self.busy = False
