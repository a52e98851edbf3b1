"""
Publishing what was just committed, beside the answers and never before them.

One turn at a time; what is committed meanwhile waits for the next one, newest version of each
patient only. Nothing that waits here can be lost: every claim is leased, and falls due by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from vitalrelay.domain.errors import VitalrelayError
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import Claim, RelayReport

log = structlog.get_logger()

Relay = Callable[[Sequence[Claim]], Awaitable[RelayReport]]
Report = Callable[[RelayReport, float], None]


class Delivery:
    """Open it before the first claim, close it after the last."""

    def __init__(self, relay: Relay, report: Report, batch_size: int) -> None:
        self._relay = relay
        self._report = report
        self._batch_size = batch_size
        self._waiting: dict[SubjectId, Claim] = {}
        self._arrived = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="delivery")

    def deliver(self, claims: Sequence[Claim]) -> None:
        """Take charge of them; returns at once."""
        for claim in claims:
            known = self._waiting.get(claim.subject)
            if known is None or known.version < claim.version:
                self._waiting[claim.subject] = claim
        if claims:
            self._arrived.set()

    async def close(self) -> None:
        """Deliver what waits, and end."""
        self._closing = True
        self._arrived.set()
        await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing or self._waiting:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            started = loop.time()
            batch = [self._next() for _ in range(min(len(self._waiting), self._batch_size))]
            try:
                report = await self._relay(batch)
            except VitalrelayError as error:
                log.warning("delivery-failed", failureType=type(error).__name__, count=len(batch))
            else:
                self._report(report, loop.time() - started)

    def _next(self) -> Claim:
        subject = next(iter(self._waiting))
        return self._waiting.pop(subject)
