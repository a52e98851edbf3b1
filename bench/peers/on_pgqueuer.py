"""
pgqueuer: jobs are taken in batches, and what is done is written down in batches of as many.

As its guide to performance says: asyncpg, one connection of its own for the queue manager, larger
batches for short jobs (1,000: by a little the fastest of 100 to 1,000), ``pgq autovac``. All tables
are logged, because what we promise is durable. Its own command runs on uvloop, too.
"""

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.peers.order import Documents, Order, Released, jobs

LIBRARY = "pgqueuer"
BATCH = 1_000

OWED = """
    select (select count(*) from pgqueuer)
        + $1 - (select count(*) from pgqueuer_log where status = 'successful')
"""


async def fill(order: Order) -> None:
    connection = await asyncpg.connect(order.database_url)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.optimize_autovacuum()
    documents = list(jobs(order))
    await queries.enqueue(["show"] * len(documents), documents, [0] * len(documents))
    await connection.close()


async def work(order: Order, released: Released) -> None:
    documents = Documents(order)
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(order.database_url)))

    @queue.entrypoint("show")
    async def show(job: Job) -> None:
        assert job.payload is not None
        await documents.move(job.payload)

    await released()
    await queue.run(batch_size=BATCH)


async def owed(order: Order) -> int:
    connection = await asyncpg.connect(order.database_url)
    try:
        return int(await connection.fetchval(OWED, order.documents))
    finally:
        await connection.close()
