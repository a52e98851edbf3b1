"""The application's role can do all that API and worker do; without one, everything works too."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text

from persistence.engine import PoolPolicy, create_engine
from tests import servers
from tests.fixtures import migrate
from tests.integration.house import (
    ACTIONS,
    AT_MS,
    PACKETS,
    House,
    house,
    new_login,
    settings_for,
    with_login,
)
from tests.worlds import a_reading
from vitalrelay.adapters.outbound.postgres.on_call import PostgresOnCall
from vitalrelay.bootstrap import reads_of, reconcile_of, reviews_of, trends_of, watch_of
from vitalrelay.domain.actions import Acknowledge
from vitalrelay.domain.errors import StorageUnavailable
from vitalrelay.domain.on_call import ProjectionFilter
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.review_queue import QueueFilter
from vitalrelay.domain.trend import Asked
from vitalrelay.embedded import EmbeddedPostgres, missing_wheels
from vitalrelay.usecases.forget_answers import ForgetAnswers

ROOT = Path(__file__).parents[2]
APP = "vitalrelay_app"
SOON_S = 20.0
SILENCE_S = 0.2

NewDatabase = Callable[[], AbstractContextManager[str]]


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + SOON_S
    while not await happened():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.02)


@pytest.fixture(params=["taken on", "the login's own"])
async def as_app(
    request: pytest.FixtureRequest,
    new_database: NewDatabase,
    postgres_server: str,
    redis_url: str,
    key_prefix: str,
) -> AsyncIterator[House]:
    with new_database() as url:
        migrate(url)
        with new_login(postgres_server, APP) as (name, password):
            own = request.param != "taken on"
            settings = settings_for(
                with_login(url, name, password) if own else url,
                redis_url,
                key_prefix=key_prefix,
                database_role="" if own else APP,
                no_data_after=SILENCE_S,
            )
            async with house(settings) as here:
                yield here


class TestTheRoleIsEnough:
    async def test_to_take_in_packets_to_act_and_to_verify(self, as_app: House) -> None:
        late = a_reading("p-1", AT_MS - 60_000, encounter="e-0")

        await as_app.takes_in(*PACKETS)
        await as_app.takes_in(*PACKETS, late)
        outcomes = await as_app.does(*ACTIONS, ACTIONS[0])
        found = await as_app.verified()

        assert outcomes == ["done", "done", "done", "done", "unchanged"]
        assert found.ok
        assert (found.patients, found.audit_broken) == (2, 0)
        assert found.audit_events >= 12

    async def test_to_notice_silence(self, as_app: House) -> None:
        watch = watch_of(as_app.settings, as_app.storage)
        await as_app.takes_in(a_reading("p-1", time.time_ns() // 1_000_000))

        async def noticed() -> bool:
            return (await watch.run_once()).changed == 1

        await until(noticed)
        outcomes = await as_app.does(Acknowledge(about="p-1:no-data", reason="at the X-ray"))

        assert outcomes == ["done"]

    async def test_to_notice_losses_and_to_mend_them(self, as_app: House) -> None:
        reconcile = reconcile_of(as_app.settings, as_app.storage)
        await as_app.takes_in(a_reading("p-1", AT_MS))

        await reconcile.watch()
        await reconcile.sweep()
        await reconcile.rebuild()
        report = await as_app.relays()

        assert (report.claimed, report.published) == (1, 1)

    async def test_to_owe_anew(self, as_app: House) -> None:
        on_call = PostgresOnCall(as_app.storage.probes)
        await as_app.takes_in(a_reading("p-1", AT_MS))
        await reconcile_of(as_app.settings, as_app.storage).rebuild()

        changed = await on_call.retry(ProjectionFilter(), ())

        assert changed == 1

    async def test_to_read_everything(self, as_app: House) -> None:
        await as_app.takes_in(*PACKETS)
        await as_app.does(ACTIONS[0])

        shown = await reads_of(as_app.settings, as_app.storage).one(SubjectId("p-1"))
        queue = await reviews_of(as_app.storage).open(QueueFilter(), 10, None)
        trail = await reviews_of(as_app.storage).audit_of("p-1:news2-high", 10, None)
        trend = await trends_of(as_app.settings, as_app.storage)(
            SubjectId("p-1"), "heart_rate", Asked(None, None, 300)
        )

        assert shown.snapshot.subject == "p-1"
        assert (len(queue.items), len(trail.events)) == (2, 2)
        assert trend is not None

    async def test_to_forget_old_keys(self, as_app: House) -> None:
        await as_app.takes_in(*PACKETS)
        await as_app.does(*ACTIONS)

        forgotten = await ForgetAnswers(begin=as_app.work, older_than=timedelta(0))()

        assert forgotten == len(ACTIONS)


class TestARoleThatIsNotThere:
    async def test_is_no_fault_of_a_packet(self, database_url: str, redis_url: str) -> None:
        settings = settings_for(database_url, redis_url, database_role="nobody_such")

        async with house(settings) as here:
            with pytest.raises(StorageUnavailable) as raised:
                await here.takes_in(a_reading("p-1", AT_MS))

        assert raised.value.cause == "22023"

    def test_is_found_by_the_doctor(self, database_url: str, redis_url: str) -> None:
        environment = os.environ | {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "VITALRELAY_DATABASE_ROLE": "nobody_such",
        }

        ended = subprocess.run(
            [sys.executable, "-m", "vitalrelay", "doctor", "--json"],
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )

        [found] = [one for one in json.loads(ended.stdout)["checks"] if one["name"] == "postgres"]
        assert ended.returncode == 1
        assert found["status"] == "fail"


@pytest.fixture
def managed() -> Iterator[tuple[str, str]]:
    """
    A server where nobody has made our role: its own address, and that of a database there whose
    owner may not make any.
    """
    if missing := missing_wheels().get("DATABASE_URL"):
        pytest.skip(missing)
    with servers.temporary_directory() as place, EmbeddedPostgres(place / "own") as server:
        servers.execute(server.url, "create role tenant login password 'tenant'")
        servers.execute(server.url, "create database tenancy owner tenant")
        database = urlsplit(server.url)._replace(path="/tenancy").geturl()
        yield server.url, with_login(database, "tenant", "tenant")


class TestWhereTheRoleCannotBeMade:
    async def test_everything_works_without_it(
        self, managed: tuple[str, str], redis_url: str, key_prefix: str
    ) -> None:
        _, database = managed
        migrate(database)

        async with house(settings_for(database, redis_url, key_prefix=key_prefix)) as here:
            await here.takes_in(*PACKETS)
            outcomes = await here.does(*ACTIONS)
            found = await here.verified()

        assert outcomes == ["done"] * 4
        assert found.ok
        assert await rights(database) == []

    async def test_it_can_be_made_later_as_the_documents_say(
        self,
        managed: tuple[str, str],
        new_database: NewDatabase,
        redis_url: str,
        key_prefix: str,
    ) -> None:
        server, database = managed
        roles, grants = of_the_documents()
        migrate(database)
        with new_database() as elsewhere:
            migrate(elsewhere)
            by_migration = await rights(elsewhere)

        servers.execute(server, roles)
        servers.execute(database, grants)
        as_app = with_login(database, "vitalrelay_login", quote("change me"))
        async with house(settings_for(as_app, redis_url, key_prefix=key_prefix)) as here:
            await here.takes_in(*PACKETS)
            outcomes = await here.does(*ACTIONS)

        assert outcomes == ["done"] * 4
        assert await rights(database) == by_migration != []


def of_the_documents() -> list[str]:
    """What is to be run by whoever makes the role, and what by the owner."""
    page = (ROOT / "docs" / "operations.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if APP in block]


RIGHTS = text("""
    select table_name, privilege_type from information_schema.table_privileges
    where grantee = :role and table_schema = 'public'
    order by 1, 2
""")


async def rights(url: str) -> list[tuple[str, str]]:
    engine = create_engine(url, PoolPolicy(size=1), "role-tests")
    async with engine.connect() as connection:
        rows = (await connection.execute(RIGHTS, {"role": APP})).all()
    await engine.dispose()
    return [(table, right) for table, right in rows]
