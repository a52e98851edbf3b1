"""Claiming and settling on a real PostgreSQL: locks, the database's clock, and plans."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from tests.fixtures import migrate
from tests.support import LEASE, MINUTE_MS, NOW_MS, SECOND
from tests.worlds import PostgresWorld, a_reading, an_alarming_reading, wanted
from vitalrelay.adapters.outbound.postgres.claim import CLAIM_DUE
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.projection import (
    Claim,
    GiveUp,
    HandBack,
    Published,
    RetryLater,
    projection_id,
)
from vitalrelay.usecases.ingest_packets import IngestPackets

MINUTE = timedelta(minutes=1)

ROW = text("""
    select status, version, published_version, attempt_count, last_error, lease_token, due_at,
        relay_at, pending_since, published_at
    from patient_monitoring_snapshot_projections
    where projection_id = :id
""")


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


@pytest.fixture
def ingest(world: PostgresWorld) -> IngestPackets:
    return IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE)


async def row_of(world: PostgresWorld, subject: str) -> Mapping[str, Any]:
    async with world.engine.connect() as connection:
        rows = await connection.execute(ROW, {"id": projection_id(subject)})
        return rows.mappings().one()


async def owe_many(world: PostgresWorld, count: int) -> None:
    for number in range(count):
        await world.owe(wanted(f"p-{number:03}"))


class TestClaims:
    async def test_two_claimers_never_get_the_same(self, world: PostgresWorld) -> None:
        await owe_many(world, 60)

        batches = await asyncio.gather(*(world.projections.claim(10, LEASE) for _ in range(8)))

        batches.append(await world.projections.claim(60, LEASE))
        claimed = [claim.subject for batch in batches for claim in batch]
        assert sorted(claimed) == [f"p-{number:03}" for number in range(60)]

    async def test_a_row_that_somebody_holds_is_passed_over(self, world: PostgresWorld) -> None:
        await owe_many(world, 3)
        async with world.engine.connect() as somebody:
            await hold(somebody, "p-001")

            claims = await world.projections.claim(10, LEASE)
            await somebody.rollback()

        left = await world.projections.claim(10, LEASE)
        assert sorted(claim.subject for claim in claims) == ["p-000", "p-002"]
        assert [claim.subject for claim in left] == ["p-001"]

    async def test_rows_that_somebody_holds_do_not_use_up_the_limit(
        self, world: PostgresWorld
    ) -> None:
        await owe_many(world, 3)
        async with world.engine.connect() as somebody:
            await hold(somebody, "p-000")
            await hold(somebody, "p-001")

            claims = await world.projections.claim(1, LEASE)

        assert [claim.subject for claim in claims] == ["p-002"]

    async def test_a_patient_who_is_being_ingested_keeps_nobody_waiting(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1"), a_reading("p-2")])
        await world.let_pass(LEASE)
        async with world.begin() as work:
            [new] = await work.record([a_reading("p-1", NOW_MS + MINUTE_MS)])
            await work.lock([new.received])

            claims = await world.projections.claim(10, LEASE)

        assert [claim.subject for claim in claims] == ["p-2"]

    async def test_a_lease_is_as_long_as_was_asked_for_on_the_databases_clock(
        self, world: PostgresWorld
    ) -> None:
        await world.owe(wanted("p-1"))
        before = await database_clock(world)

        [claim] = await world.projections.claim(1, LEASE)

        after = await database_clock(world)
        row = await row_of(world, "p-1")
        assert before + LEASE <= row["due_at"] <= after + LEASE
        assert row["lease_token"] == claim.lease

    async def test_a_lapsed_lease_is_taken_over_under_another_token(
        self, world: PostgresWorld
    ) -> None:
        await world.owe(wanted("p-1"))
        [first] = await world.projections.claim(1, LEASE)

        await world.let_pass(LEASE)
        [second] = await world.projections.claim(1, LEASE)

        row = await row_of(world, "p-1")
        assert first.lease != second.lease == row["lease_token"]
        assert row["attempt_count"] == 2

    async def test_claims_go_from_the_most_urgent_to_the_longest_overdue(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("well-first")])
        await world.let_pass(MINUTE)
        await ingest([an_alarming_reading("ill")])
        await world.let_pass(MINUTE)
        await ingest([a_reading("well-second")])
        await world.let_pass(LEASE)

        order = []
        while claims := await world.projections.claim(1, LEASE):
            order += [claim.subject for claim in claims]

        assert order == ["ill", "well-first", "well-second"]

    async def test_a_claim_reads_a_document_as_large_as_they_come(
        self, world: PostgresWorld
    ) -> None:
        large = wanted("p-1", shows="é" * 200_000)
        await world.owe(large)

        [claim] = await world.projections.claim(1, LEASE)

        assert json.loads(claim.document) == json.loads(large.document)


class TestBirth:
    async def test_an_intent_is_born_claimed(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        before = await database_clock(world)

        _, [claim] = await ingest([a_reading("p-1")])

        after = await database_clock(world)
        row = await row_of(world, "p-1")
        assert (row["status"], row["version"], row["published_version"]) == ("pending", 1, None)
        assert (row["attempt_count"], row["lease_token"]) == (1, claim.lease)
        assert before + LEASE <= row["due_at"] <= after + LEASE

    async def test_a_newer_version_starts_afresh_but_has_waited_as_long(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        _, [first] = await ingest([a_reading("p-1")])
        await world.projections.settle([(first, GiveUp("no"))])
        await world.let_pass(MINUTE)
        before = await row_of(world, "p-1")

        await ingest([a_reading("p-1", NOW_MS + MINUTE_MS)])

        after = await row_of(world, "p-1")
        assert (after["status"], after["version"], after["attempt_count"]) == ("pending", 2, 1)
        assert after["last_error"] == ""
        assert after["pending_since"] == before["pending_since"]

    async def test_after_a_publication_the_waiting_begins_anew(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        _, [first] = await ingest([a_reading("p-1")])
        await world.projections.settle([(first, Published())])
        before = await database_clock(world)

        await ingest([a_reading("p-1", NOW_MS + MINUTE_MS)])

        row = await row_of(world, "p-1")
        assert row["pending_since"] >= before
        assert (row["version"], row["published_version"]) == (2, 1)


class TestSettling:
    async def claimed(self, world: PostgresWorld, version: int = 3) -> Claim:
        await world.owe(wanted("p-1", version))
        [claim] = await world.projections.claim(1, LEASE)
        return claim

    async def test_published(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world)
        before = await database_clock(world)

        await world.projections.settle([(claim, Published())])

        row = await row_of(world, "p-1")
        assert (row["status"], row["published_version"], row["last_error"]) == ("published", 3, "")
        assert (row["due_at"], row["pending_since"], row["lease_token"]) == (None, None, None)
        assert row["published_at"] >= before

    async def test_retried_later(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world)

        await world.projections.settle([(claim, RetryLater(MINUTE, "WRONGTYPE"))])

        row = await row_of(world, "p-1")
        assert (row["status"], row["published_version"]) == ("failed", None)
        assert (row["last_error"], row["attempt_count"]) == ("WRONGTYPE", 1)
        assert row["lease_token"] is None
        assert row["pending_since"] is not None

    async def test_handed_back(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world)

        await world.projections.settle([(claim, HandBack(MINUTE, "TimeoutError"))])

        row = await row_of(world, "p-1")
        assert (row["status"], row["last_error"]) == ("failed", "TimeoutError")
        assert row["attempt_count"] == 0

    async def test_given_up(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world)

        await world.projections.settle([(claim, GiveUp("conflict"))])

        row = await row_of(world, "p-1")
        assert (row["status"], row["due_at"]) == ("failed", None)
        assert (row["last_error"], row["attempt_count"]) == ("conflict", 1)
        assert row["pending_since"] is not None

    @pytest.mark.parametrize(
        "verdict",
        [RetryLater(MINUTE, "no"), HandBack(MINUTE, "away"), GiveUp("no")],
        ids=["retry", "hand back", "give up"],
    )
    async def test_what_is_still_owed_has_been_waiting_since_it_was(
        self, world: PostgresWorld, verdict
    ) -> None:
        claim = await self.claimed(world)
        before = await row_of(world, "p-1")

        await world.projections.settle([(claim, verdict)])

        after = await row_of(world, "p-1")
        assert after["pending_since"] == before["pending_since"]

    async def test_a_lost_claim_changes_nothing(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world)
        await world.let_pass(LEASE)
        await world.projections.claim(1, LEASE)
        before = await row_of(world, "p-1")

        settled = await world.projections.settle([(claim, Published())])

        after = await row_of(world, "p-1")
        assert settled == 0
        assert after == before

    async def test_the_token_alone_is_not_enough(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world, version=3)
        await change(world, "version = 4")

        assert await world.projections.settle([(claim, Published())]) == 0

    async def test_the_version_alone_is_not_enough(self, world: PostgresWorld) -> None:
        claim = await self.claimed(world, version=3)
        await change(world, "lease_token = gen_random_uuid()")

        assert await world.projections.settle([(claim, Published())]) == 0

    @pytest.mark.parametrize("verdict", [RetryLater, HandBack])
    async def test_half_of_a_delay_is_drawn_by_lot(self, world: PostgresWorld, verdict) -> None:
        await owe_many(world, 100)
        claims = await world.projections.claim(100, LEASE)

        before = await database_clock(world)
        await world.projections.settle([(claim, verdict(MINUTE, "no")) for claim in claims])
        after = await database_clock(world)

        due = await due_dates(world)
        assert before + MINUTE / 2 <= min(due)
        assert max(due) <= after + MINUTE
        # Of a hundred, all within a quarter of the range: once in 10^59 runs.
        assert max(due) - min(due) > MINUTE / 8

    async def test_batches_in_opposite_order_never_wait_both_ways(
        self, world: PostgresWorld
    ) -> None:
        await owe_many(world, 50)
        claims = await world.projections.claim(50, LEASE)
        again = [(claim, RetryLater(MINUTE, "no")) for claim in claims]

        settled = await asyncio.gather(
            *(world.projections.settle(again[::step]) for step in (1, -1) * 8)
        )

        assert sum(settled) == 50

    async def test_settling_and_ingest_never_wait_both_ways(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """Every packet is acknowledged and every claim is settled or taken over, at once."""
        patients = [f"p-{number}" for number in range(8)]
        await ingest([a_reading(patient) for patient in patients])

        async def keep_ingesting(start: int) -> None:
            for turn in range(5):
                at_ms = NOW_MS + MINUTE_MS * (1 + turn) + start
                order = patients[start:] + patients[:start]
                _, claims = await ingest([a_reading(patient, at_ms) for patient in order])
                await world.projections.settle([(claim, Published()) for claim in claims])

        await asyncio.gather(*(keep_ingesting(start) for start in range(8)))

        rows = [await row_of(world, patient) for patient in patients]
        assert [(row["status"], row["version"]) for row in rows] == [("published", 41)] * 8


class TestTheRelaysDate:
    """It is left where it is while a row is owed, published and owed again."""

    async def test_it_stays_with_every_new_version_and_when_they_are_published(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        dates = []
        for later in range(3):
            _, [claim] = await ingest([a_reading("p-1", NOW_MS + later)])
            dates.append((await row_of(world, "p-1"))["relay_at"])
            await world.projections.settle([(claim, Published())])
            dates.append((await row_of(world, "p-1"))["relay_at"])

        assert len(set(dates)) == 1
        assert dates[0] is not None

    async def test_who_was_published_meanwhile_is_forgotten(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        _, [claim] = await ingest([a_reading("p-1")])
        await world.projections.settle([(claim, Published())])
        await world.let_pass(LEASE)

        claims = await world.projections.claim(10, LEASE)

        row = await row_of(world, "p-1")
        assert claims == []
        assert (row["status"], row["relay_at"]) == ("published", None)
        assert row["attempt_count"] == 1

    async def test_who_was_owed_again_meanwhile_is_put_off_until_that_is_due(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1", NOW_MS)])
        await world.let_pass(LEASE - SECOND)
        _, [claim] = await ingest([a_reading("p-1", NOW_MS + 1)])
        await world.let_pass(SECOND)

        claims = await world.projections.claim(10, LEASE)

        row = await row_of(world, "p-1")
        assert claims == []
        assert row["relay_at"] == row["due_at"]
        assert row["lease_token"] == claim.lease

    async def test_many_who_are_not_due_hide_nobody_who_is(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        _, settled = await ingest([a_reading(f"p-{n}", spo2=85) for n in range(50)])
        await world.projections.settle([(claim, Published()) for claim in settled])
        await ingest([a_reading("p-due")])
        await world.let_pass(LEASE)

        claims = await world.projections.claim(10, LEASE)

        assert [claim.subject for claim in claims] == ["p-due"]

    async def test_what_is_due_earlier_than_was_thought_is_found_in_time(
        self, world: PostgresWorld
    ) -> None:
        await world.owe(wanted("p-1"))
        [claim] = await world.projections.claim(1, timedelta(hours=1))
        await world.projections.settle([(claim, RetryLater(SECOND, "WRONGTYPE"))])
        await world.let_pass(SECOND)

        claims = await world.projections.claim(10, LEASE)

        assert [claim.subject for claim in claims] == ["p-1"]

    async def test_who_was_given_up_is_owed_and_never_found(self, world: PostgresWorld) -> None:
        await world.owe(wanted("p-1"))
        [claim] = await world.projections.claim(1, LEASE)
        await world.projections.settle([(claim, GiveUp("WRONGTYPE"))])
        await world.let_pass(LEASE)

        assert await world.projections.claim(10, LEASE) == []

        await world.let_pass(timedelta(days=365))
        row = await row_of(world, "p-1")
        assert (row["status"], row["due_at"]) == ("failed", None)
        assert row["relay_at"] is not None
        assert await world.projections.claim(10, LEASE) == []

    @pytest.mark.parametrize("wrong", ["null", "due_at + interval '1 s'"])
    async def test_the_database_refuses_one_by_which_a_row_would_be_found_too_late(
        self, world: PostgresWorld, wrong: str
    ) -> None:
        await world.owe(wanted("p-1"))

        with pytest.raises(IntegrityError, match="relay_check"):
            await change(world, f"relay_at = {wrong}")


async def hold(connection: AsyncConnection, subject: str) -> None:
    await connection.execute(
        text("""
            select from patient_monitoring_snapshot_projections
            where projection_id = :id for update
        """),
        {"id": projection_id(subject)},
    )


async def database_clock(world: PostgresWorld) -> Any:
    async with world.engine.connect() as connection:
        return (await connection.execute(text("select clock_timestamp()"))).scalar_one()


async def due_dates(world: PostgresWorld) -> list[Any]:
    async with world.engine.connect() as connection:
        rows = await connection.execute(
            text("select due_at from patient_monitoring_snapshot_projections")
        )
        return list(rows.scalars())


async def change(world: PostgresWorld, what: str) -> None:
    async with world.engine.begin() as connection:
        await connection.execute(text(f"update patient_monitoring_snapshot_projections set {what}"))


MANY = 50_000

# As wide as they come in practice: about a kilobyte of document.
FILL = text("""
    insert into patient_monitoring_snapshot_projections (
        projection_id, demo_subject_id, snapshot_key, latest_key, payload_fingerprint, payload,
        status, attempt_count, incarnation, version, published_version, urgency
    )
    select 'monitoring-snapshot:p-' || n, 'p-' || n, 'patient-risk:monitoring-snapshots:p-' || n,
        'patient-risk:monitoring-snapshots:latest', 'sha256:' || md5(n::text) || md5(n::text),
        jsonb_build_object('asOfMs', n, 'vitals', vitals.of_all),
        'published', 1, 1, 3, 3, n % 5
    from generate_series(1, :many) n,
        (select jsonb_object_agg(i, md5(i::text)) as of_all from generate_series(1, 25) i) vitals
""")

PUBLISHED = text("""
    update patient_monitoring_snapshot_projections
    set status = 'published', pending_since = null, due_at = null, relay_at = null
    where status <> 'published'
""")

OWED = text("""
    update patient_monitoring_snapshot_projections
    set status = 'failed', pending_since = now(), due_at = now() + cast(:due_in as interval),
        relay_at = now() + cast(:due_in as interval)
    where projection_id in (
        select projection_id from patient_monitoring_snapshot_projections limit :many
    )
""")

# Nobody gathers statistics but the test; and what is thrown away needs no WAL.
SETTINGS = (
    text("alter table patient_monitoring_snapshot_projections set (autovacuum_enabled = false)"),
    text("alter table patient_monitoring_snapshot_projections set unlogged"),
)
ANALYZE = text("analyze patient_monitoring_snapshot_projections")

OVERDUE, NOT_YET = timedelta(hours=-1), timedelta(hours=1)
LEAN = {"batch_size": 100, "lease_for": LEASE, "lease": UUID(int=0)}


@dataclass
class Crowd:
    """So many patients, of whom some are owed; rewriting them all is dear, and done when needed."""

    engine: AsyncEngine
    owed: tuple[int, timedelta] = (0, OVERDUE)

    async def arrange(self, owed: tuple[int, timedelta]) -> None:
        if owed != self.owed:
            many, due_in = self.owed = owed
            await self.run(PUBLISHED, {})
            await self.run(OWED, {"many": many, "due_in": due_in})

    async def run(self, statement: TextClause, parameters: Mapping[str, object]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(statement, parameters)


@pytest.fixture(scope="module")
async def crowd(new_database: Callable[[], AbstractContextManager[str]]) -> AsyncIterator[Crowd]:
    with new_database() as url:
        migrate(url)
        engine = create_engine(url, PoolPolicy(size=2, command_timeout_s=60), "crowd")
        crowd = Crowd(engine)
        for setting in SETTINGS:
            await crowd.run(setting, {})
        await crowd.run(FILL, {"many": MANY})
        yield crowd
        await engine.dispose()


async def custom_plan(engine: AsyncEngine) -> str:
    """As planned for these parameters."""
    async with engine.connect() as connection:
        rows = await connection.execute(text(f"explain {CLAIM_DUE.text}"), LEAN)
        return "\n".join(rows.scalars())


async def generic_plan(engine: AsyncEngine) -> str:
    """As planned for any parameters, which the driver's prepared statements may come to."""
    statement = CLAIM_DUE.text
    for number, name in enumerate((":lease_for", ":lease", ":batch_size"), start=1):
        statement = statement.replace(name, f"${number}")
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.execute("set plan_cache_mode = force_generic_plan")
        await driver.execute(f"prepare claim(interval, uuid, bigint) as {statement}")
        rows = await driver.fetch(f"explain execute claim('30 s', '{UUID(int=0)}', 100)")
        await driver.execute("deallocate claim; reset plan_cache_mode")
        return "\n".join(row[0] for row in rows)


def reads_only_what_is_owed(plan: str) -> bool:
    return (
        "Index Scan using patient_monitoring_snapshot_projections_relay_idx" in plan
        and "Index Cond: (relay_at <= now())" in plan
        and "Seq Scan" not in plan
        and "Sort" not in plan
    )


NOBODY, SOME, ALL = (0, OVERDUE), (100, OVERDUE), (MANY, OVERDUE)
AN_OUTAGE = (MANY, NOT_YET)

SITUATIONS = [
    pytest.param(NOBODY, NOBODY, id="nobody is owed"),
    pytest.param(NOBODY, SOME, id="100 of 50,000 are due, statistics of none"),
    pytest.param(SOME, SOME, id="100 of 50,000 are due"),
    pytest.param(SOME, ALL, id="50,000 are due, statistics of 100"),
    pytest.param(ALL, ALL, id="50,000 are due"),
    pytest.param(ALL, NOBODY, id="nobody is owed, statistics of 50,000"),
    pytest.param(AN_OUTAGE, AN_OUTAGE, id="50,000 are owed and none is due"),
]


@pytest.mark.parametrize(("when_analyzed", "now"), SITUATIONS)
async def test_claiming_reads_the_index_of_what_is_owed(crowd, when_analyzed, now) -> None:
    await crowd.arrange(when_analyzed)
    await crowd.run(ANALYZE, {})
    await crowd.arrange(now)

    custom, generic = await custom_plan(crowd.engine), await generic_plan(crowd.engine)

    assert reads_only_what_is_owed(custom), custom
    assert reads_only_what_is_owed(generic), generic
