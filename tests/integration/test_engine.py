"""The pool: what the server hung up on is lent to nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine

SIZE = 5
PID = text("select pg_backend_pid()")


@pytest.fixture
async def few(pool: AsyncEngine, database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, PoolPolicy(size=SIZE), "vitalrelay-few")
    yield engine
    await engine.dispose()


async def all_lent(engine: AsyncEngine) -> dict[int, asyncpg.Connection]:
    """Every connection that the pool has, by its server process."""
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(engine.connect()) for _ in range(SIZE)]
        return {
            await one.scalar(PID): (await one.get_raw_connection()).driver_connection
            for one in lent
        }


async def until_known(drivers: list[asyncpg.Connection]) -> None:
    async with asyncio.timeout(5):
        while not all(driver.is_closed() for driver in drivers):  # noqa: ASYNC110 - as it is
            await asyncio.sleep(0)


async def test_after_the_server_hung_up_nobody_gets_an_old_connection(
    few: AsyncEngine, pool: AsyncEngine
) -> None:
    before = await all_lent(few)
    async with pool.connect() as other:
        for pid in before:
            await other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await until_known(list(before.values()))

    after = await all_lent(few)

    assert len(after) == SIZE
    assert not before.keys() & after.keys()
