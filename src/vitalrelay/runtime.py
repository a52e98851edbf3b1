"""What a process of ours runs on: its event loop, and how often memory is looked through."""

import asyncio
import gc
from collections.abc import Callable

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop

__all__ = ["collect_seldom", "new_event_loop"]


def collect_seldom() -> None:
    """
    Once all is loaded: leave alone what a process is made of, and look less often.

    All of it would be looked through again and again, while everybody waits; and so would
    thousands of requests that wait for their turn.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
