"""How long a drain takes: the same rule for everybody, ours and theirs."""

import asyncio
import time
from collections.abc import Awaitable, Callable

Count = Callable[[], Awaitable[int]]

LOOK_S, PATIENCE_S = 0.005, 90.0


async def drained(documents: Count, owed: Count, wanted: int) -> float:
    """
    Seconds from the first document in Redis until all are there and nothing is owed any more.

    So neither starting processes nor waking them counts. ``owed`` is what is not yet marked done
    where the work is kept; it is asked only when the documents are there. Raises TimeoutError.
    """

    async def all_done() -> bool:
        return await documents() >= wanted and not await owed()

    async with asyncio.timeout(PATIENCE_S):
        await until(documents)
        began = time.perf_counter()
        await until(all_done)
        return time.perf_counter() - began


async def until(reached: Callable[[], Awaitable[int]]) -> None:
    while True:
        if await reached():
            return
        await asyncio.sleep(LOOK_S)
