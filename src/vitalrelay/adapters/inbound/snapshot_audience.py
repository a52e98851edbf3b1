"""The screens of this process: how many there may be, and whether there is anybody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from vitalrelay.adapters.inbound.snapshot_screen import Observer
from vitalrelay.domain.errors import Overloaded


class Audience:
    """Who is admitted holds a connection; who follows has asked for everything that comes."""

    def __init__(self, most: int, observer: Observer) -> None:
        self._most = most
        self._observer = observer
        self._admitted = 0
        self._followers = 0
        self._somebody = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._left_at = float("-inf")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Raises Overloaded where there are too many."""
        if self._admitted >= self._most:
            raise Overloaded
        self._count(+1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._admitted += change
        self._observer.watched_by(self._admitted)

    @contextmanager
    def following(self) -> Iterator[None]:
        self._followers += 1
        self._somebody.set()
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._somebody.clear()
                self._left_at = self._loop.time()

    def gone_for(self, seconds: float) -> bool:
        """Nobody follows, and nobody has for so long."""
        return not self._followers and self._loop.time() - self._left_at >= seconds

    async def somebody(self) -> None:
        await self._somebody.wait()
