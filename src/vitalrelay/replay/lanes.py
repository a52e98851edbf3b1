"""So many connections and no more: what is in flight is bounded by them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from vitalrelay.replay.connection import Lane
from vitalrelay.replay.errors import NotReached
from vitalrelay.replay.target import Target


class Lanes:
    """The lane used last is used first, so that idle ones stay idle."""

    def __init__(self, target: Target, number: int, silence_s: float) -> None:
        self._target = target
        self._silence_s = silence_s
        self._lanes = [Lane(target, silence_s) for _ in range(number)]
        self._free = list(self._lanes)
        self._slots = asyncio.Semaphore(number)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Raises NotReached at once if nobody is there now. Later on, a lane is patient."""
        try:
            await self._free[-1].connect()
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise NotReached(f"cannot connect to {self._target.url}: {why}") from None
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            for lane in self._lanes:
                lane.close()
            await asyncio.sleep(0)

    @property
    def in_flight(self) -> int:
        return len(self._lanes) - len(self._free)

    async def take(self) -> Lane:
        await self._slots.acquire()
        return self._free.pop()

    def put_back(self, lane: Lane) -> None:
        self._free.append(lane)
        self._slots.release()

    async def _watch(self) -> None:
        """One timer for all lanes; so silence is noticed a quarter of it late at most."""
        while True:
            await asyncio.sleep(self._silence_s / 4)
            silent_since = perf_counter() - self._silence_s
            for lane in self._lanes:
                lane.abort_if_silent_since(silent_since)
