"""
How many are served at once, and what becomes of the others: they wait in line, and not for long.

To turn somebody away costs nearly as much as to serve him, and who is turned away at once is back
at once. So under an overload nobody is answered sooner than by his turn or by the end of his
patience: what is spent on refusals stays small, whatever is offered.
"""

import asyncio
from types import TracebackType

from vitalrelay.domain.errors import Overloaded


class Admission:
    """``async with`` it: inside are at most ``most``, and who came first goes in first."""

    def __init__(self, most: int, patience_s: float) -> None:
        self._places = asyncio.Semaphore(most)
        self._patience_s = patience_s

    async def __aenter__(self) -> None:
        """Raises Overloaded to who waited in vain."""
        if not self._places.locked():
            await self._places.acquire()  # which then takes no time
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded from None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._places.release()
