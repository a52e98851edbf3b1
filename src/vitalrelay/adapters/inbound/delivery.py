"""
Publishing what was just committed, beside the answers and never before them.

One batch at a time; what is committed meanwhile waits for the next one, newest version of each
patient only. What came of it is settled a moment later, for all patients of that moment at once:
the screens have it already, and a patient who was published again by then needs it only once.

Nothing that waits here can be lost: every claim is leased, and falls due by itself.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

import structlog

from vitalrelay.domain.errors import VitalrelayError
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import Claim, Judged, RelayReport

log = structlog.get_logger()

Taken = TypeVar("Taken")

SETTLE_AFTER = timedelta(milliseconds=100)


class Relay(Protocol):
    """The second story, in its two halves."""

    async def publish(self, claims: Sequence[Claim]) -> list[Judged]: ...

    async def settle(self, judged: Sequence[Judged]) -> RelayReport: ...


class Observer(Protocol):
    def published(self, judged: Sequence[Judged], took_s: float) -> None: ...

    def settled(self, report: RelayReport) -> None: ...


class Delivery:
    """Open it before the first claim, close it after the last."""

    def __init__(
        self,
        relay: Relay,
        observer: Observer,
        batch_size: int,
        settle_after: timedelta = SETTLE_AFTER,
    ) -> None:
        self._relay = relay
        self._observer = observer
        self._batch_size = batch_size
        self._settle_after_s = settle_after.total_seconds()
        self._waiting: dict[SubjectId, Claim] = {}
        self._unsettled: dict[SubjectId, Judged] = {}
        self._arrived = asyncio.Event()
        self._published = asyncio.Event()
        self._hurry = asyncio.Event()  # settle now: there is a batch of it, or no more will come
        self._closing = False
        self._publishing = asyncio.create_task(self._publish(), name="publishing")
        self._settling = asyncio.create_task(self._settle(), name="settling")

    def deliver(self, claims: Sequence[Claim]) -> None:
        """Take charge of them; returns at once."""
        for claim in claims:
            known = self._waiting.get(claim.subject)
            if known is None or known.version < claim.version:
                self._waiting[claim.subject] = claim
        if claims:
            self._arrived.set()

    async def close(self) -> None:
        """Deliver what waits, settle it, and end."""
        self._closing = True
        self._arrived.set()
        await self._publishing
        self._published.set()
        self._hurry.set()
        await self._settling

    async def _publish(self) -> None:
        while not self._closing or self._waiting:
            if self._waiting:
                await self._publish_some(_taken_from(self._waiting, self._batch_size))
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _publish_some(self, claims: Sequence[Claim]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            judged = await self._relay.publish(claims)
        except Exception as error:
            _left_lying(error, len(claims))
            return
        self._observer.published(judged, loop.time() - started)
        for one in judged:
            known = self._unsettled.get(one.claim.subject)
            if known is None or known.claim.version < one.claim.version:
                self._unsettled[one.claim.subject] = one
        if self._unsettled:
            self._published.set()
        if len(self._unsettled) >= self._batch_size:
            self._hurry.set()

    async def _settle(self) -> None:
        while self._unsettled or not self._publishing.done():
            if not self._unsettled:
                self._published.clear()
                await self._published.wait()
                continue
            await self._gather()
            await self._settle_some(_taken_from(self._unsettled, self._batch_size))

    async def _gather(self) -> None:
        """Until there is a batch, or the first of it has waited long enough."""
        if len(self._unsettled) >= self._batch_size or self._publishing.done():
            return
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settle_after_s):
                await self._hurry.wait()

    async def _settle_some(self, judged: Sequence[Judged]) -> None:
        try:
            report = await self._relay.settle(judged)
        except Exception as error:
            _left_lying(error, len(judged))
        else:
            self._observer.settled(report)


def _taken_from(waiting: dict[SubjectId, Taken], most: int) -> list[Taken]:
    """The first that came."""
    subjects = list(waiting)[:most]
    return [waiting.pop(subject) for subject in subjects]


def _left_lying(error: Exception, count: int) -> None:
    """They fall due by themselves. Even a mistake of ours must not end what all others wait for."""
    tell = log.warning if isinstance(error, VitalrelayError) else log.error
    tell("delivery-failed", failureType=type(error).__name__, count=count)
