"""What every test may ask for: a database, a Redis, a key prefix, clinical data."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests import servers

pytest_plugins = ["tests.fixtures"]

ROOT = Path(__file__).parent.parent
NUMBERS = itertools.count(1)


def pytest_report_header() -> list[str]:
    return [
        f"PostgreSQL: {servers.describe('DATABASE_URL')}",
        f"Redis: {servers.describe('REDIS_URL')}",
    ]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The server's own database. Tests leave it alone and use one of the next two."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def database_url(postgres_server: str) -> Iterator[str]:
    """One database for the whole session; who leaves rows in it truncates its tables."""
    with servers.new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Callable[[], AbstractContextManager[str]]:
    """`with new_database() as url:` an empty database, dropped at the end of the block."""
    return partial(servers.new_database, postgres_server)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.valkey() as url:
        yield url


@pytest.fixture
def key_prefix() -> str:
    """What all keys of this test begin with; no other test has it, in no other session."""
    return f"{servers.SESSION}-{next(NUMBERS)}"


@pytest.fixture(scope="session")
def clinical_data() -> Path:
    return clinical_data_or_skip()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "clinical_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.clinical_data)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("clinical_data"):
        clinical_data_or_skip()


def clinical_data_or_skip() -> Path:
    """Skips the test where the data are not at hand, and fails it where they have to be."""
    named = os.environ.get("VITALRELAY_CLINICAL_DATA")
    place = Path(named) if named else ROOT.parent / "shared" / "data"
    if place.is_dir():
        return place
    reason = f"no clinical data at {place} (VITALRELAY_CLINICAL_DATA names another place)"
    if os.environ.get("VITALRELAY_REQUIRE_CLINICAL_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
