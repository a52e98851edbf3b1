"""One API with its settings as they are, and one that is easily full and soon out of patience."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from tests import servers
from tests.fixtures import migrate
from tests.integration.http.serving import Api, serving
from vitalrelay.adapters.outbound.redis.keys import Keys

PREFIX = f"{servers.SESSION}-http"
NARROW = f"{servers.SESSION}-narrow"


@pytest.fixture(scope="package")
def http_database(
    new_database: Callable[[], AbstractContextManager[str]],
) -> Iterator[str]:
    with new_database() as url:
        migrate(url)
        yield url


@pytest.fixture(scope="package")
async def database(http_database: str) -> AsyncIterator[AsyncEngine]:
    """The API's database, past the wire that a test may cut."""
    engine = create_engine(http_database, PoolPolicy(size=4), "vitalrelay-http-tests")
    yield engine
    await engine.dispose()


@pytest.fixture(scope="package")
def http_keys() -> Keys:
    return Keys(PREFIX)


@pytest.fixture(scope="package")
async def api(http_database: str, redis_url: str) -> AsyncIterator[Api]:
    with serving(http_database, redis_url, VITALRELAY_KEY_PREFIX=PREFIX) as api:
        await api.is_ready()
        yield api


@pytest.fixture(scope="package")
async def narrow_api(http_database: str, redis_url: str) -> AsyncIterator[Api]:
    """One packet in a commit, one that waits, and half a second for a body."""
    settings = {
        "VITALRELAY_KEY_PREFIX": NARROW,
        "VITALRELAY_GROUP_MOST": "1",
        "VITALRELAY_GROUP_WAITING": "1",
        "VITALRELAY_POSTS_AT_ONCE": "2",
        "VITALRELAY_POSTS_PATIENCE": "0.3",
        "VITALRELAY_GROUP_AT_ONCE": "1",
        "VITALRELAY_BODY_TIMEOUT": "0.5",
    }
    with serving(http_database, redis_url, **settings) as api:
        await api.is_ready()
        yield api


@pytest.fixture(scope="package")
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.client() as client:
        yield client
