"""Being told to stop: noticed at once, obeyed where it does no harm."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(BaseException):
    """Not an error: nobody who handles errors may hold it up."""


class Told:
    def __init__(self) -> None:
        self.stop = False
        self._interrupting = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """To SIGTERM, SIGINT and SIGHUP, and afterwards as before."""
        before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raises StopRequested in the middle of the block, for what would take too long."""
        self.check()
        self._interrupting = True
        try:
            yield
        finally:
            self._interrupting = False

    def check(self) -> None:
        if self.stop:
            raise StopRequested

    def wait(self, seconds: float) -> None:
        """Raises StopRequested, at most so much later."""
        self.check()
        time.sleep(seconds)

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop = True
        if self._interrupting:
            raise StopRequested
