"""
One reader, many screens: whoever shows snapshots is told here that there are newer ones.

One task reads the events for the whole process, a tick's worth at a time, into a ring that all
screens share; another adds a heartbeat. When a screen comes back after so long that the ring does
not hold what it was told last, the ring is made to reach back so far, for all who come with it.

While nobody follows, nothing is read.

No screen misses an event without being told that it did. What may have been missed is a resync:
read all snapshots again, and go on from here.
"""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from vitalrelay.adapters.inbound.server_sent import say_now
from vitalrelay.adapters.inbound.snapshot_audience import Audience
from vitalrelay.adapters.inbound.snapshot_ring import FellBehind, Ring, Wanted
from vitalrelay.adapters.inbound.snapshot_screen import (
    AT_ONCE,
    Live,
    Observer,
    Screen,
    Streamed,
    Tell,
)
from vitalrelay.domain.errors import StoreUnreachable
from vitalrelay.ports.snapshot_events import START, Gap, Position, SnapshotEvents

log = structlog.get_logger()

TICK_S = 0.05
REST_AFTER_S = 10.0  # without a screen: long enough for one that only reconnects
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLimits:
    """``held`` and ``reach`` of the ring are events of about 600 bytes each."""

    heartbeat: timedelta
    screens: int
    held: int = 20_000
    reach: int = 120_000


class SnapshotFeed:
    """Open it before the first screen, close it when there shall be none, end it after that."""

    def __init__(self, events: SnapshotEvents, limits: FeedLimits, observer: Observer) -> None:
        self._limits = limits
        self._observer = observer
        self._events = events
        self._live = Live(
            events, observer, self._ring(START), limits.reach, limits.heartbeat.total_seconds()
        )
        self._missed: Gap | None = Gap.LOST  # why we must find our place; None where we have it
        self._asked = asyncio.Event()  # whether the store answers, is known
        self._audience = Audience(limits.screens, observer)
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            asyncio.create_task(self._read(), name="events"),
            asyncio.create_task(self._beat(), name="heartbeat"),
        ]

    def _ring(self, begin: Position) -> Ring:
        return Ring(begin, self._limits.held, self._limits.reach)

    def admitted(self) -> AbstractContextManager[None]:
        """For as long as a screen is connected. Raises Overloaded where there are too many."""
        return self._audience.admitted()

    async def follow(self, tell: Tell, after: Position | None, wanted: Wanted) -> None:
        """
        Tell a screen everything after the event it was told last, and whatever comes.

        Without one it begins now. Returns when the feed is closed, or when the screen fell so far
        behind that it has to come back.
        """
        with self._audience.following():
            await self._asked.wait()
            screen = Screen(self._live, tell, after, wanted)
            await self._lead(screen)

    async def _lead(self, screen: Screen) -> None:
        try:
            await screen.follow()
        except FellBehind:
            screen.busy = True
        finally:
            if screen.busy and not self._live.closed:
                self._observer.streamed(Streamed.DROPPED)

    def close(self) -> None:
        """Every stream ends at once."""
        self._live.closed = True
        self._live.answers.set()
        self._asked.set()
        self._live.ring.wake()

    async def end(self) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._live.heartbeat_s)
            self._live.ring.notify(say_now("heartbeat"))

    async def _read(self) -> None:
        """Whatever happens: screens that are told nothing would look as if all was well."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._rest()
                await self._take_turn()
                pause_s = FIRST_PAUSE_S
            except Exception as error:
                self._interrupted(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _rest(self) -> None:
        """Until somebody follows; where the store is by then, has to be asked anew."""
        if self._audience.gone_for(REST_AFTER_S):
            self._missed = Gap.LOST
            self._asked.clear()
            await self._audience.somebody()

    async def _take_turn(self) -> None:
        began = self._loop.time()
        if self._missed is not None:
            await self._find_place(self._missed)
        ring = self._live.ring
        page = await self._events.after(ring.up_to, AT_ONCE)
        self._resumed()
        if isinstance(page, Gap):
            self._missed = page
            return
        ring.go_on(page.up_to, page.events)
        self._observer.streamed(Streamed.EVENT, len(page.events))
        if page.last:
            await self._events.wait_beyond(ring.up_to)
        await asyncio.sleep(began + TICK_S - self._loop.time())

    async def _find_place(self, missed: Gap) -> None:
        """Where the store is now; whoever is here already is told what was missed."""
        newest = await self._events.newest(1)
        self._resumed()
        self._missed = None
        ring = self._ring(newest.up_to)
        self._live.ring.go_over(ring, missed)
        self._live.ring = ring

    def _resumed(self) -> None:
        if self._asked.is_set() and not self._live.answers.is_set():
            log.info("feed-resumed")
            self._live.ring.notify(say_now("resumed"))
        self._live.answers.set()
        self._asked.set()

    def _interrupted(self, error: Exception) -> None:
        if self._live.answers.is_set() or not self._asked.is_set():
            reason = error.cause if isinstance(error, StoreUnreachable) else None
            log.warning("feed-interrupted", failureType=type(error).__name__, reason=reason)
            self._live.ring.notify(say_now("interrupted"))
        self._live.answers.clear()
        self._asked.set()
