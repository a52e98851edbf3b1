"""What the contract and integration suites may ask for beyond the servers themselves."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from persistence.redis_client import RedisPolicy, create_redis
from tests.servers import temporary_directory
from tests.worlds import MemoryScreens, MemoryWorld, PostgresWorld, RedisScreens
from vitalrelay.adapters.outbound.postgres.tables import metadata
from vitalrelay.adapters.outbound.redis.keys import Keys
from vitalrelay.embedded import EmbeddedValkey, missing_wheels

ROOT = Path(__file__).parent.parent
TABLES = [table.name for table in metadata.sorted_tables if table.name != "relay_state"]
AUDIT = "alter table patient_alarm_audit_events"
EMPTY = (
    text(f"{AUDIT} disable trigger patient_alarm_audit_events_append_only"),
    text(f"truncate {', '.join(TABLES)}"),
    text(f"{AUDIT} enable always trigger patient_alarm_audit_events_append_only"),
    text("update relay_state set incarnation = 1, sentinel = 0, last_sweep_at = null"),
)


def migrate(url: str) -> None:
    """To the head; in a thread, since the migrations bring an event loop of their own."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    with ThreadPoolExecutor(1) as beside_any_loop:
        beside_any_loop.submit(upgrade, config, "head").result()


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The session's connections to its migrated database, with whatever is in it."""
    migrate(database_url)
    patient = PoolPolicy(size=20, checkout_timeout_s=60, command_timeout_s=60)
    engine = create_engine(database_url, patient, "vitalrelay-tests")
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(pool: AsyncEngine) -> AsyncEngine:
    """The migrated database, with nothing in it."""
    async with pool.begin() as connection:
        for statement in EMPTY:
            await connection.execute(statement)
    return pool


@pytest.fixture(scope="session")
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Everybody's server: keep to ``keys``, and leave its settings alone."""
    client = create_redis(redis_url, RedisPolicy())
    yield client
    await client.aclose()


@pytest.fixture
def keys(key_prefix: str) -> Keys:
    return Keys(key_prefix)


@pytest.fixture(scope="session")
def own_redis_url() -> Iterator[str]:
    """A Valkey that a test may fill, flush and reconfigure."""
    if missing := missing_wheels().get("REDIS_URL"):
        pytest.skip(missing)
    with temporary_directory() as place, EmbeddedValkey(place / "own") as server:
        yield server.url


@pytest.fixture
async def own_redis(own_redis_url: str) -> AsyncIterator[Redis]:
    """Empty; what a test sets by CONFIG SET is its own to set back."""
    client = create_redis(own_redis_url, RedisPolicy())
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def memory_world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def postgres_world(engine: AsyncEngine) -> PostgresWorld:
    return PostgresWorld(engine)


@pytest.fixture
def memory_screens() -> MemoryScreens:
    return MemoryScreens()


@pytest.fixture
def redis_screens(redis: Redis, keys: Keys) -> RedisScreens:
    return RedisScreens(redis, keys)
