"""
A clock that only moves when all wait: what takes seconds takes none.

A wait without an end, and nobody left to end it, fails the test at once.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_S = 1e-9


class JumpingSelector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self.now += 0 if events or timeout is None else timeout
        return events


class ClockLoop(asyncio.SelectorEventLoop):
    """Time passes while everybody waits, and by ``step_s`` at each look at the clock."""

    def __init__(self, step_s: float) -> None:
        self._jumping = JumpingSelector()
        self._step_s = step_s
        super().__init__(self._jumping)

    def time(self) -> float:
        self._jumping.now += self._step_s
        return self._jumping.now


def run(story: Callable[[], Coroutine[Any, Any, T]], step_s: float = LOOK_S) -> T:
    with asyncio.Runner(loop_factory=lambda: ClockLoop(step_s)) as runner:
        return runner.run(story())
