"""
One run: every packet is planned, sent when it is due, and followed until it has its last word.

A shipment that is late is sent late, and its lateness counts as latency and as slip. Nothing is
dropped to keep up.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from typing import Final

from vitalrelay.replay.acknowledgements import acknowledgement_log
from vitalrelay.replay.clock import Clock
from vitalrelay.replay.delivery import Courier
from vitalrelay.replay.lanes import Lanes
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.read_ahead import ReadAhead
from vitalrelay.replay.shipment import Shipment
from vitalrelay.replay.strain import Strain
from vitalrelay.replay.summary import Summary
from vitalrelay.replay.tally import Tally

MOST_OPEN: Final = 4096  # shipments on their way or between two attempts
SHORTEST_WAIT_S: Final = 0.001  # what a loop's timer can tell apart
LONGEST_WAIT_S: Final = 3600.0
GRACE_S: Final = 3.0

Observe = Callable[[Summary], None]


def nobody(_: Summary) -> None:
    """Looks away."""


async def replay(
    plan: Plan, observe: Observe = nobody, stop: asyncio.Event | None = None
) -> Summary:
    """
    Send all of the plan, or until ``stop`` is set, and say what became of it.

    ``observe`` gets the summary so far, some twenty times a second. Raises CannotReplay:
    NotReached if nobody is at the target to begin with, LogNotWritten if acknowledgements can no
    longer be recorded, WrongUsage if the log cannot be opened.
    """
    lanes = Lanes(plan.target, plan.connections, plan.patience.silence_s)
    async with lanes.opened():
        tally = Tally(Clock())
        summary = Summary(plan, tally, Strain())
        with acknowledgement_log(plan.ack_log, tally.clock) as log:
            run = Run(plan, lanes, Courier(plan, lanes, log, tally), tally)
            await run.follow(summary, observe, stop or asyncio.Event())
    return summary


class Run:
    """Offers shipments to the courier, at their time and as far as there is room."""

    def __init__(self, plan: Plan, lanes: Lanes, courier: Courier, tally: Tally) -> None:
        self._plan, self._lanes, self._courier, self._tally = plan, lanes, courier, tally
        self._room = asyncio.Semaphore(MOST_OPEN)
        self._offering: asyncio.Task[None] | None = None

    async def follow(self, summary: Summary, observe: Observe, stop: asyncio.Event) -> None:
        """To the end, or to the stop; what is open then is given a moment to settle."""
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(stop.wait())
        watch = asyncio.create_task(summary.strain.watch(lambda: observe(summary)))
        try:
            await asyncio.wait({work, stopped, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                await watch
            if not work.done():
                summary.interrupted = True
                await self._wind_up(work)
            await _first_trouble_of(work)
        finally:
            for task in (work, stopped, watch):
                task.cancel()
            await asyncio.gather(work, stopped, watch, return_exceptions=True)
            summary.strain.stop()
        observe(summary)

    async def _wind_up(self, work: "asyncio.Task[None]") -> None:
        if self._offering is not None:
            self._offering.cancel()
        await asyncio.wait({work}, timeout=GRACE_S)
        work.cancel()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as deliveries:
            self._offering = deliveries.create_task(self._offer(deliveries))

    async def _offer(self, deliveries: asyncio.TaskGroup) -> None:
        async with aclosing(self._shipments()) as shipments:
            async for shipment in shipments:
                if self._over(shipment):
                    return
                await self._until(shipment.due_s)
                await self._room.acquire()
                lane = await self._lanes.take()
                self._tally.plan(shipment.sendings)
                delivery = deliveries.create_task(self._courier.deliver(shipment, lane))
                delivery.add_done_callback(lambda _: self._room.release())

    async def _shipments(self) -> AsyncGenerator[Shipment, None]:
        shipments = self._plan.shipments()
        if self._plan.source.may_block:
            async for shipment in ReadAhead(shipments):
                yield shipment
        else:
            with closing(self._plan.source):
                for shipment in shipments:
                    yield shipment

    def _over(self, shipment: Shipment) -> bool:
        """What is due in time is sent, however late it gets."""
        if self._plan.duration_s is None:
            return False
        due_s = self._tally.clock.seconds() if shipment.due_s is None else shipment.due_s
        return due_s >= self._plan.duration_s

    async def _until(self, due_s: float | None) -> None:
        """A timer may be early, by as much as the loop was behind when it was set."""
        if due_s is None:
            return
        while (wait_s := due_s - self._tally.clock.seconds()) > 0:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S))


async def _first_trouble_of(work: "asyncio.Task[None]") -> None:
    """One reason is enough for whoever asked, and the first is the one that counts."""
    await asyncio.wait({work})
    trouble = None if work.cancelled() else work.exception()
    if isinstance(trouble, BaseExceptionGroup):
        raise trouble.exceptions[0] from None
    if trouble is not None:
        raise trouble
