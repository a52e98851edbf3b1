"""One clock for a run: it only goes forward, and knows what time it was when it started."""

from time import perf_counter, time


class Clock:
    """Moments are those of ``perf_counter``, as connections report them."""

    def __init__(self) -> None:
        self.began_at_ms = int(time() * 1000)
        self._began = perf_counter()

    def seconds(self) -> float:
        """Since the start."""
        return perf_counter() - self._began

    def moment(self, seconds: float) -> float:
        return self._began + seconds

    def seconds_at(self, moment: float) -> float:
        return moment - self._began

    def wall_ms(self, moment: float) -> int:
        return self.began_at_ms + int(self.seconds_at(moment) * 1000)
