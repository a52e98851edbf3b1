"""
procrastinate: each job is fetched and finished by a statement of its own.

What it documents for more throughput: asynchronous tasks, several at once (of 8, 16 and 30, 8 were
the fastest), and a pool that has a connection for each. Jobs that succeeded are deleted.
"""

import asyncpg
from procrastinate import App, PsycopgConnector

from bench.peers.order import Documents, Order, Released

LIBRARY = "procrastinate"
CONCURRENCY = 8


def app_of(order: Order) -> App:
    connector = PsycopgConnector(
        conninfo=order.database_url, min_size=CONCURRENCY, max_size=CONCURRENCY + 4
    )
    return App(connector=connector)


async def fill(order: Order) -> None:
    async with app_of(order).open_async() as app:
        await app.schema_manager.apply_schema_async()
        await app.configure_task("show").batch_defer_async(
            *({"subject": subject, "document": document} for subject, document in order.each())
        )


async def work(order: Order, released: Released) -> None:
    documents = Documents(order)
    app = app_of(order)
    app.task(name="show")(documents.show)
    async with app.open_async():
        await released()
        await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="successful")


async def owed(order: Order) -> int:
    connection = await asyncpg.connect(order.database_url)
    try:
        return int(
            await connection.fetchval(
                "select count(*) from procrastinate_jobs where status <> 'succeeded'"
            )
        )
    finally:
        await connection.close()
