"""
Many requests, one commit, and nobody shares a fate.

Packets that wait at the same time share a transaction: at most ``most`` of them, and none waits
longer than ``linger`` for company while the database is idle. The commit runs in a task of this
queue, never in a request's: a caller who goes away cannot cancel what others wait for.

A group that the database refuses is split in two, and again, until the packet it will not have
stands alone. The queue is bounded: what finds it full is turned away before anything is stored.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from vitalrelay.domain.errors import (
    Contention,
    OutcomeUnknown,
    Overloaded,
    Refused,
    VitalrelayError,
)
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import Receipt

log = structlog.get_logger()

Ingest = Callable[[Sequence[Packet]], Awaitable[tuple[list[Receipt], list[Claim]]]]
Deliver = Callable[[Sequence[Claim]], None]
Answer = Receipt | VitalrelayError

CONTENTION_TRIES = 3


class Observer(Protocol):
    def committed(self, packets: int, waited_s: float, took_s: float) -> None:
        """One group is done, whatever its outcome; ``waited_s`` is its oldest packet's."""

    def split(self) -> None:
        """A group was refused and is tried again in two parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    most: int
    linger: timedelta
    waiting: int
    at_once: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    packet: Packet
    answer: "asyncio.Future[Answer]"
    since: float


class GroupCommit:
    """Open it before the first packet, close it after the last."""

    def __init__(
        self, ingest: Ingest, deliver: Deliver, limits: GroupLimits, observer: Observer
    ) -> None:
        self._ingest = ingest
        self._deliver = deliver
        self._limits = limits
        self._observer = observer
        self._waiting: deque[_Waiting] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._commits: set[asyncio.Task[None]] = set()
        self._closing = False
        self._idle_since = 0.0
        self._expected = 0  # who shared the last commit comes back; who waits already is there
        self._loop = asyncio.get_running_loop()
        self._collector = asyncio.create_task(self._collect(), name="group commit")

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enqueue(self, packet: Packet) -> "asyncio.Future[Answer]":
        """
        Line up for the next commit; the answer comes as a value, an error of ours included.

        Raises Overloaded, with nothing stored, while the queue is full or closed.
        """
        if self._closing or len(self._waiting) >= self._limits.waiting:
            raise Overloaded
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append(_Waiting(packet, answer, self._loop.time()))
        # Only the first of a group and the one that completes it are news to the collector.
        if len(self._waiting) in (1, self._expected) or len(self._waiting) >= self._limits.most:
            self._changed.set()
        return answer

    async def enqueue_patiently(self, packet: Packet) -> "asyncio.Future[Answer]":
        """The same, for a sender who can be made to wait until there is room."""
        while not self._closing and len(self._waiting) >= self._limits.waiting:
            self._room.clear()
            await self._room.wait()
        return self.enqueue(packet)

    async def commit(self, packet: Packet) -> Receipt:
        """Keep one packet. Raises what stood in the way."""
        answer = await asyncio.shield(await self.enqueue_patiently(packet))
        if isinstance(answer, VitalrelayError):
            raise answer
        return answer

    async def close(self) -> None:
        """Commit what waits, answer it, and take nothing new."""
        self._closing = True
        self._changed.set()
        self._room.set()
        await self._collector

    async def _collect(self) -> None:
        while not self._closing or self._waiting:
            # One look at the clock for both: between two the lingering could end unnoticed.
            lingering_s = self._linger_left()
            if self._waiting and self._may_start(lingering_s):
                self._start()
            else:
                await self._something(lingering_s)
        await asyncio.gather(*self._commits, return_exceptions=True)

    def _may_start(self, lingering_s: float) -> bool:
        """
        A full group, if a place is free; a smaller one only when no other commit is under way.

        Who comes while a commit is under way has company for the next one by then.
        """
        if len(self._waiting) >= self._limits.most:
            return len(self._commits) < self._limits.at_once
        return not self._commits and (self._closing or lingering_s <= 0)

    def _linger_left(self) -> float:
        """How long the oldest packet may still wait for company, in seconds.

        After a commit its callers come back with their next packets, and are waited for; when all
        who are expected are there, nobody else is.
        """
        if not self._waiting or len(self._waiting) >= self._expected > 1:
            return 0
        since = max(self._waiting[0].since, self._idle_since)
        return max(0, self._limits.linger.total_seconds() - (self._loop.time() - since))

    async def _something(self, at_most_s: float) -> None:
        """Wait for a packet, for a commit to end, or for the lingering to be over."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s or None):
                await self._changed.wait()

    def _start(self) -> None:
        most = min(len(self._waiting), self._limits.most)
        group = [self._waiting.popleft() for _ in range(most)]
        self._room.set()
        task = asyncio.create_task(self._run(group), name="commit")
        self._commits.add(task)
        task.add_done_callback(partial(self._ended, len(group)))

    def _ended(self, answered: int, task: "asyncio.Task[None]") -> None:
        self._commits.discard(task)
        self._idle_since = self._loop.time()
        self._expected = answered + len(self._waiting)
        self._changed.set()

    async def _run(self, group: Sequence[_Waiting]) -> None:
        started = self._loop.time()
        try:
            await self._store(group)
        finally:
            took = self._loop.time() - started
            self._observer.committed(len(group), started - group[0].since, took)

    async def _store(self, group: Sequence[_Waiting]) -> None:
        try:
            receipts, claims = await self._patiently([waiting.packet for waiting in group])
        except Refused as refused:
            await self._set_apart(group, refused)
        except VitalrelayError as error:
            _tell(group, [error] * len(group))
        except Exception as error:
            # A mistake of ours, most likely about one packet: the others are not to suffer for it.
            log.error("commit-failed", failureType=type(error).__name__, count=len(group))
            await self._set_apart(group, OutcomeUnknown(type(error).__name__))
        except asyncio.CancelledError:
            _tell(group, [OutcomeUnknown("cancelled")] * len(group))
            raise
        else:
            _tell(group, receipts)
            self._deliver(claims)

    async def _set_apart(self, group: Sequence[_Waiting], why: VitalrelayError) -> None:
        """Halve what could not be stored until one packet is left to tell."""
        if len(group) == 1:
            _tell(group, [why])
            return
        self._observer.split()
        middle = len(group) // 2
        await self._store(group[:middle])
        await self._store(group[middle:])

    async def _patiently(self, packets: Sequence[Packet]) -> tuple[list[Receipt], list[Claim]]:
        """Once more, after a moment, where the database was only busy."""
        for attempt in range(1, CONTENTION_TRIES):
            try:
                return await self._ingest(packets)
            except Contention:
                await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 - jitter
        return await self._ingest(packets)


def _tell(group: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
    for waiting, answer in zip(group, answers, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(answer)
