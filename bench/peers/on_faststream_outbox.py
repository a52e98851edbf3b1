"""
faststream-outbox: rows are claimed in batches, and deleted in batches (batched terminal flush).

As its page on performance says: asyncpg, ``terminal_flush_batch_size``, few workers with it, its
autovacuum settings. Of 1 to 32 workers, 500 to 2,000 rows fetched and 100 or 500 flushed, this
was the fastest. Neither a log nor a check of types stands in the way of a message.
"""

import asyncio

import asyncpg
from faststream_outbox import OutboxBroker, make_outbox_table, outbox_autovacuum_ddl
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.peers.order import Documents, Order, Released, jobs

LIBRARY = "faststream-outbox"
QUEUE = "snapshots"
WORKERS, FETCHED, FLUSHED = 4, 1_000, 500

metadata = MetaData()
table = make_outbox_table(metadata)


def engine_of(order: Order) -> AsyncEngine:
    url = order.database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    return create_async_engine(url, pool_size=WORKERS + 1)


async def fill(order: Order) -> None:
    engine = engine_of(order)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(text(outbox_autovacuum_ddl(table.name)))
        broker = OutboxBroker(engine, outbox_table=table, logger=None)
        await broker.publish_batch(*jobs(order), queue=QUEUE, session=connection)
    await engine.dispose()


async def work(order: Order, released: Released) -> None:
    documents = Documents(order)
    broker = OutboxBroker(engine_of(order), outbox_table=table, logger=None, apply_types=False)

    @broker.subscriber(
        QUEUE,
        max_workers=WORKERS,
        fetch_batch_size=FETCHED,
        terminal_flush_batch_size=FLUSHED,
        min_fetch_interval=0.01,
    )
    async def show(body: bytes) -> None:
        await documents.move(body)

    await released()
    async with broker:
        await asyncio.Event().wait()


async def owed(order: Order) -> int:
    connection = await asyncpg.connect(order.database_url)
    try:
        return int(await connection.fetchval(f"select count(*) from {table.name}"))
    finally:
        await connection.close()
