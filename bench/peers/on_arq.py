"""
arq: the jobs are in Redis, not in PostgreSQL, so nothing of it survives what Redis loses.

Many jobs at once (of 10 to 1,000, 100 were the fastest), a short poll, no results kept and no log
of them.
"""

import asyncio
from itertools import islice
from typing import Any

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker
from redis.asyncio import Redis

from bench.peers.order import Documents, Order, Released, jobs

LIBRARY = "arq"
AT_ONCE, POLL_S, TOGETHER = 100, 0.01, 50
QUEUE = "arq:queue"


async def fill(order: Order) -> None:
    redis = await create_pool(RedisSettings.from_dsn(order.queue_url))
    waiting = jobs(order)
    while some := list(islice(waiting, TOGETHER)):
        await asyncio.gather(*(redis.enqueue_job("show", job) for job in some))
    await redis.aclose()


async def work(order: Order, released: Released) -> None:
    documents = Documents(order)

    async def show(_: dict[Any, Any], job: bytes) -> None:
        await documents.move(job)

    settings = RedisSettings.from_dsn(order.queue_url)
    worker = Worker(
        [func(show, name="show")],
        redis_pool=await create_pool(settings),
        queue_name=QUEUE,
        max_jobs=AT_ONCE,
        poll_delay=POLL_S,
        keep_result=0,
        log_results=False,
    )
    await released()
    await worker.async_run()


async def owed(order: Order) -> int:
    async with Redis.from_url(order.queue_url) as redis:
        return int(await redis.zcard(QUEUE))
