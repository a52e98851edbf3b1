"""The audit trail only grows: nobody may change it, and what a superuser changes is found."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.engine import PoolPolicy, create_engine
from tests import servers
from tests.fixtures import migrate
from tests.integration.house import (
    ACTIONS,
    PACKETS,
    copy_of,
    house,
    new_login,
    settings_for,
    with_login,
)
from tests.integration.tampering import (
    BESIDE_THE_RECORD,
    EDITS,
    EVENTS,
    GUARD,
    INSERTIONS,
    REMOVALS,
    SWAPS,
    Tampering,
)
from vitalrelay.settings import Settings
from vitalrelay.usecases.verify import Verification

APP = "vitalrelay_app"
REFUSED = "42501"  # insufficient_privilege


@pytest.fixture(scope="module")
async def told(
    new_database: Callable[[], AbstractContextManager[str]], redis_url: str
) -> AsyncIterator[Settings]:
    """A trail in two sites, and the screens beside it. Who changes it works on a copy."""
    with new_database() as url:
        migrate(url)
        settings = settings_for(url, redis_url, key_prefix=f"{servers.SESSION}-guard")
        async with house(settings) as here:
            await here.takes_in(*PACKETS)
            await here.does(*ACTIONS)
        yield settings


@pytest.fixture(scope="module")
def login(told: Settings, postgres_server: str) -> Iterator[str]:
    """The same database, for somebody with the application's rights and no others."""
    with new_login(postgres_server, APP) as (name, password):
        yield with_login(url_of(told), name, password)


@pytest.fixture
def copied(told: Settings, postgres_server: str) -> Iterator[Settings]:
    with copy_of(postgres_server, url_of(told)) as url:
        redis_url = told.redis_url.get_secret_value()
        yield settings_for(url, redis_url, key_prefix=told.key_prefix)


def url_of(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


@asynccontextmanager
async def connected(url: str, role: str = "") -> AsyncIterator[AsyncConnection]:
    engine = create_engine(url, PoolPolicy(size=1, role=role), "guard-tests")
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


CHANGES = [
    f"update {EVENTS} set reason = 'another'",
    f"update {EVENTS} set reason = 'another' where false",
    f"delete from {EVENTS}",
    f"delete from {EVENTS} where false",
    f"truncate {EVENTS}",
    f"truncate {EVENTS} cascade",
    f"truncate patient_alarm_audit_chains, {EVENTS}",
    f"""
    insert into {EVENTS} select * from {EVENTS}
    on conflict (event_id) do update set reason = excluded.reason
    """,
    f"""
    merge into {EVENTS} known using (select 1) one on true
    when matched then update set reason = 'another'
    """,
    f"with gone as (delete from {EVENTS} returning *) select count(*) from gone",
]
# What only an owner may ask for, or only a superuser.
WAYS_AROUND = [
    f"alter table {EVENTS} disable trigger {GUARD}",
    f"alter table {EVENTS} disable trigger all",
    f"drop trigger {GUARD} on {EVENTS}",
    f"drop table {EVENTS} cascade",
    f"alter table {EVENTS} rename to forgotten",
    f"alter table {EVENTS} alter reason drop not null",
    f"create rule nothing as on insert to {EVENTS} do instead nothing",
    "drop function refuse_to_change_audit_events cascade",
    """
    create or replace function refuse_to_change_audit_events() returns trigger
        language plpgsql as 'begin return null; end'
    """,
    "set session_replication_role = replica",
    "delete from patient_alarm_audit_chains",
    "truncate patient_signal_packets",
    "delete from patient_signal_packets",
    "update patient_signal_packets set payload = '{}'",
    "update alembic_version set version_num = '0'",
    "create table mine (id bigint)",
]


async def refusal(connection: AsyncConnection, statement: str) -> str | None:
    """SQLSTATE; None where it was let through, which it is not for good."""
    try:
        await connection.execute(text(statement))
    except DBAPIError as error:
        return str(getattr(error.orig, "sqlstate", ""))
    finally:
        await connection.rollback()
    return None


class TestNobodyMayChangeIt:
    @pytest.mark.parametrize("statement", CHANGES + WAYS_AROUND)
    async def test_who_took_on_the_applications_role_is_refused(
        self, told: Settings, statement: str
    ) -> None:
        async with connected(url_of(told), role=APP) as connection:
            state = await refusal(connection, statement)

        assert state == REFUSED

    @pytest.mark.parametrize("statement", CHANGES + WAYS_AROUND)
    async def test_a_login_with_the_applications_rights_is_refused(
        self, login: str, statement: str
    ) -> None:
        async with connected(login) as connection:
            state = await refusal(connection, statement)

        assert state == REFUSED

    @pytest.mark.parametrize("statement", CHANGES)
    async def test_the_owner_is_refused(self, told: Settings, statement: str) -> None:
        async with connected(url_of(told)) as connection:
            state = await refusal(connection, statement)

        assert state == REFUSED

    @pytest.mark.parametrize("statement", CHANGES)
    async def test_an_owner_who_says_that_he_replicates_is_refused(
        self, told: Settings, statement: str
    ) -> None:
        async with connected(url_of(told)) as connection:
            await connection.execute(text("set session_replication_role = replica"))
            await connection.commit()
            state = await refusal(connection, statement)

        assert state == REFUSED

    @pytest.mark.parametrize("statement", CHANGES)
    async def test_it_is_the_guard_that_refuses(self, told: Settings, statement: str) -> None:
        async with connected(url_of(told)) as connection:
            await connection.execute(text(f"alter table {EVENTS} disable trigger {GUARD}"))
            state = await refusal(connection, statement)

        assert state is None

    async def test_the_applications_role_owns_nothing_and_is_nobody_special(
        self, told: Settings
    ) -> None:
        async with connected(url_of(told)) as connection:
            rights = await connection.execute(
                text("""
                    select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication,
                        rolbypassrls, exists (select from pg_class where relowner = r.oid)
                    from pg_roles r
                    where rolname = :role
                """),
                {"role": APP},
            )

        assert tuple(rights.one()) == (False,) * 7


async def tamper_with(settings: Settings, tampering: Tampering) -> None:
    async with connected(url_of(settings)) as connection:
        await connection.execute(text(f"alter table {EVENTS} disable trigger {GUARD}"))
        await tampering(connection)
        await connection.execute(text(f"alter table {EVENTS} enable always trigger {GUARD}"))
        await connection.commit()


async def verified(settings: Settings) -> Verification:
    async with house(settings) as here:
        return await here.verified()


def named(tamperings: Mapping[str, Tampering]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("tampering", tamperings.values(), ids=tamperings.keys())


class TestWhatASuperuserChangesIsFound:
    async def test_an_intact_trail_is_intact(self, told: Settings) -> None:
        found = await verified(told)

        assert found.ok
        assert found.audit_broken == 0
        assert found.audit_events >= 12

    @named(EDITS)
    async def test_what_was_edited(self, copied: Settings, tampering: Tampering) -> None:
        await tamper_with(copied, tampering)

        found = await verified(copied)

        assert found.audit_broken >= 1
        assert not found.ok

    @named(BESIDE_THE_RECORD)
    async def test_what_was_edited_beside_the_record(
        self, copied: Settings, tampering: Tampering
    ) -> None:
        await tamper_with(copied, tampering)

        found = await verified(copied)

        assert found.audit_broken >= 1

    @named(REMOVALS)
    async def test_what_was_removed(self, copied: Settings, tampering: Tampering) -> None:
        await tamper_with(copied, tampering)

        found = await verified(copied)

        assert found.audit_broken >= 1

    @named(SWAPS)
    async def test_what_was_swapped(self, copied: Settings, tampering: Tampering) -> None:
        await tamper_with(copied, tampering)

        found = await verified(copied)

        assert found.audit_broken >= 1

    @named(INSERTIONS)
    async def test_what_was_inserted(self, copied: Settings, tampering: Tampering) -> None:
        await tamper_with(copied, tampering)

        found = await verified(copied)

        assert found.audit_broken >= 1


def command(settings: Settings) -> tuple[int, dict[str, Any]]:
    """``vitalrelay verify --json`` as anybody would run it: exit status and document."""
    environment = os.environ | {
        "DATABASE_URL": url_of(settings),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "VITALRELAY_KEY_PREFIX": settings.key_prefix,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "vitalrelay", "verify", "--json"],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout)


class TestTheCommand:
    def test_an_intact_trail_is_status_0(self, told: Settings) -> None:
        status, document = command(told)

        assert status == 0
        assert (document["ok"], document["auditBroken"]) == (True, 0)

    @pytest.mark.parametrize(
        "tampering",
        [EDITS["another reason"], REMOVALS["a whole site"], INSERTIONS["in another site"]],
        ids=["edited", "removed", "inserted"],
    )
    async def test_a_broken_one_is_status_1(self, copied: Settings, tampering: Tampering) -> None:
        await tamper_with(copied, tampering)

        status, document = command(copied)

        assert status == 1
        assert document["ok"] is False
        assert document["auditBroken"] >= 1
