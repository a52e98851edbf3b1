"""How hard the client itself was working: a client that is out of breath measures itself."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter, process_time
from typing import Final

from vitalrelay.replay.histogram import Histogram

BEAT_S: Final = 0.05
BUSY_SHARE: Final = 0.9
LAG_S: Final = 0.05


class Strain:
    """CPU time of this process, and how late its event loop comes to what is due."""

    def __init__(self) -> None:
        self._began, self._cpu = perf_counter(), process_time()
        self._ended, self._cpu_ended = self._began, self._cpu
        self.lag = Histogram()

    async def watch(self, beat: Callable[[], None]) -> None:
        """Until cancelled. ``beat`` is called some twenty times a second."""
        while True:
            due = perf_counter() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self.lag.record(perf_counter() - due)
            beat()

    def stop(self) -> None:
        self._ended, self._cpu_ended = perf_counter(), process_time()

    @property
    def cpu_share(self) -> float:
        """Of one core."""
        return (self._cpu_ended - self._cpu) / max(self._ended - self._began, 1e-9)

    def doubts(self) -> Iterator[str]:
        """Why the latencies of this run may be the client's own."""
        if self.cpu_share > BUSY_SHARE:
            yield f"the client was saturated: it used {self.cpu_share:.0%} of a core"
        lag_s = self.lag.percentile(99) or 0.0
        if lag_s > LAG_S:
            yield f"the client was late itself: p99 of its loop lag was {lag_s * 1000:.0f} ms"
