"""
The process around arq's workers: it owns the signals, and starts again what Redis brought down.

arq stops when Redis blips. Nothing is lost by that, because nothing is kept there: each worker is
started anew after a moment, and meanwhile there is nothing to publish to.
"""

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack
from typing import Any

import structlog
from arq.connections import RedisSettings
from arq.worker import create_worker
from redis.exceptions import RedisError

from vitalrelay.bootstrap import open_worker
from vitalrelay.settings import read_settings

log = structlog.get_logger()

Context = dict[Any, Any]  # arq's own

EVERY_SECOND: dict[str, Any] = {
    "second": set(range(60)),
    "unique": False,
    "timeout": 60,
    "keep_result": 0,
    "run_at_startup": True,  # and after Redis was away: that was long enough
}
POLL_DELAY_S = 0.25
PAUSE_S = 0.25  # who waits for Redis to come back is not to wait for us as well
TELL_EVERY_S = 5.0
SETTLE_WITHIN_S = 8.0


def redis_settings() -> RedisSettings:
    """arq's way of saying REDIS_URL; how often to try again is ours to say."""
    settings = RedisSettings.from_dsn(read_settings().redis_url.get_secret_value())
    settings.conn_retries = 0
    return settings


async def open_context(ctx: Context) -> None:
    """For arq's own command, which has no process of ours around it."""
    ctx["open"] = stack = AsyncExitStack()
    ctx |= await stack.enter_async_context(open_worker(read_settings()))


async def close_context(ctx: Context) -> None:
    await ctx["open"].aclose()


async def run_until_told(kinds: list[type]) -> None:
    """Run these workers in one process until SIGTERM or SIGINT; what was claimed is settled."""
    stop = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    running = asyncio.create_task(_run(kinds, stop))
    told = asyncio.create_task(stop.wait())
    await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_WITHIN_S):
            await running


async def _run(kinds: list[type], stop: asyncio.Event) -> None:
    context: Context = {}
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(stack.enter_async_context(open_worker(read_settings())))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            opening.cancel()  # PostgreSQL was still being waited for: nothing is in hand
            await asyncio.gather(opening, return_exceptions=True)
            return
        context |= await opening
        keepers = [asyncio.create_task(_keep(kind, context)) for kind in kinds]
        await stopping
        log.info("stopping")
        context["stopping"] = True
        await context["turn"].acquire()  # the batch in hand is settled first
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


async def _keep(kind: type, context: Context) -> None:
    """Run one worker, and again after a pause each time it falls, which is not told each time."""
    loop = asyncio.get_running_loop()
    told_s = -TELL_EVERY_S
    while True:
        worker = create_worker(
            kind, ctx=dict(context), handle_signals=False, on_startup=None, on_shutdown=None
        )
        try:
            await worker.async_run()
        except (RedisError, OSError) as error:
            if loop.time() - told_s >= TELL_EVERY_S:
                log.warning("worker-fell", failureType=type(error).__name__)
                told_s = loop.time()
        finally:
            with contextlib.suppress(RedisError, OSError, asyncio.CancelledError):
                await worker.close()
        await asyncio.sleep(PAUSE_S)
