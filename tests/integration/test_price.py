"""What ingest and relay cost in statements: a build that costs more is a slower one everywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.engine import PoolPolicy, create_engine
from tests.counting import sent
from tests.support import LEASE, NOW_MS, SECOND
from tests.worlds import NAMES, PostgresWorld, RedisScreens, a_reading, an_alarming_reading
from vitalrelay.adapters.outbound.postgres.driver import begin
from vitalrelay.adapters.outbound.postgres.lock import LOCK
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.projection import RetryPolicy, projection_id
from vitalrelay.settings import Settings
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.relay_projections import RelayProjections

GROUP, BATCH = (Settings.model_fields[name].default for name in ("group_most", "relay_batch"))

TABLE = "patient_monitoring_snapshot_projections"
SIZE = text(f"select pg_total_relation_size('{TABLE}')")
REWRITE = text(f"vacuum full {TABLE}")
EVERY_VITAL = {
    "pulse_rate": 73,
    "spo2": 97,
    "respiratory_rate": 16,
    "systolic_bp": 118,
    "diastolic_bp": 70,
    "mean_bp": 86,
    "perfusion_index": Decimal("2.1"),
    "temperature": Decimal("36.9"),
    "consciousness": "A",
    "supplemental_oxygen": False,
}
PLANNED = text("""
    select count(*), sum(custom_plans) from pg_prepared_statements where generic_plans >= 20
""")
LOG_POSITION = text("select (pg_current_wal_insert_lsn() - '0/0')::bigint")


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


@pytest.fixture
def ingest(world: PostgresWorld) -> IngestPackets:
    return IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE)


@pytest.fixture
def relay(world: PostgresWorld, redis_screens: RedisScreens) -> RelayProjections:
    once = RetryPolicy(
        max_attempts=1, first_delay=SECOND, longest_delay=SECOND, outage_pause=SECOND
    )
    return RelayProjections(
        projections=world.projections,
        publisher=redis_screens.publisher,
        breaker=Breaker(SECOND),
        retry=once,
        batch_size=BATCH,
        lease_for=timedelta(minutes=5),
    )


class TestTheDrain:
    """After an outage: what is owed to everybody, one batch after the other."""

    async def test_a_published_snapshot_costs_a_hundredth_of_a_statement_at_most(
        self, world: PostgresWorld, ingest: IngestPackets, relay: RelayProjections
    ) -> None:
        patients = 4 * GROUP
        for start in range(0, patients, GROUP):
            await ingest([a_reading(f"p-{n}") for n in range(start, start + GROUP)])
        await world.let_pass(LEASE)

        published = 0
        async with sent(world.engine) as seen:
            while (report := await relay.run_once()).worth_repeating:
                published += report.published

        assert published == patients
        assert len(seen) <= patients * 0.01, seen


class TestTheLog:
    """Bytes of write-ahead log, once each page has been written since the last checkpoint."""

    async def test_a_settled_snapshot_adds_six_hundred_bytes_at_most(
        self, world: PostgresWorld, ingest: IngestPackets, relay: RelayProjections
    ) -> None:
        added = []
        for later in range(3):
            _, claims = await ingest([a_reading(f"p-{n}", NOW_MS + later) for n in range(GROUP)])
            before = await log_position(world.engine)
            settled = await relay.deliver(claims)
            added.append(await log_position(world.engine) - before)
            assert settled.published == GROUP

        assert min(added) <= GROUP * 600, added

    async def test_a_packet_of_a_patient_of_its_own_adds_four_thousand_bytes_at_most(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """The packet, an assessment, a document, and their indexes."""
        added = []
        for later in range(3):
            packets = [a_reading(f"p-{n}", NOW_MS + later) for n in range(GROUP)]
            before = await log_position(world.engine)
            await ingest(packets)
            added.append(await log_position(world.engine) - before)

        assert min(added) <= GROUP * 4_000, added


class TestThePages:
    """A patient's next state takes the place of the last but one: nothing is left for vacuum."""

    async def test_a_thousand_versions_later_the_table_is_hardly_larger_than_written_anew(
        self, world: PostgresWorld, ingest: IngestPackets, relay: RelayProjections
    ) -> None:
        for later in range(1_000):
            _, claims = await ingest([a_reading(f"p-{n}", NOW_MS + later) for n in range(5)])
            await relay.deliver(claims)

        await assert_hardly_larger_than_written_anew(world.engine)

    async def test_nor_where_somebody_may_still_see_what_was_replaced(
        self, world: PostgresWorld, ingest: IngestPackets, relay: RelayProjections
    ) -> None:
        """Under load there is always a transaction that began two versions ago."""
        for turn in range(100):
            async with somebody_looks(world.engine):
                for later in range(2):
                    at_ms = NOW_MS + 2 * turn + later
                    packets = [a_reading(f"p-{n}", at_ms, **EVERY_VITAL) for n in range(20)]
                    _, claims = await ingest(packets)
                    await relay.deliver(claims)

        await assert_hardly_larger_than_written_anew(world.engine)


async def assert_hardly_larger_than_written_anew(engine: AsyncEngine) -> None:
    grown = await size(engine)
    await rewrite(engine)
    assert grown <= 3 * await size(engine)


@asynccontextmanager
async def somebody_looks(engine: AsyncEngine) -> AsyncIterator[None]:
    """With a transaction that sees the database as it is now until it ends."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        await connection.execute(text("select count(*) from relay_state"))
        yield


async def size(engine: AsyncEngine) -> int:
    """Of the projections and their indexes, in bytes."""
    async with engine.connect() as connection:
        taken: int = await connection.scalar(SIZE)
    return taken


async def rewrite(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(REWRITE)


async def log_position(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        position: int = await connection.scalar(LOG_POSITION)
    return position


class TestPlans:
    async def test_no_group_has_its_statements_planned_anew(self, world: PostgresWorld) -> None:
        url = world.engine.url.render_as_string(hide_password=False)
        engine = create_engine(url, PoolPolicy(size=1, by_keys=True), "planned-once")
        ingest = IngestPackets(begin=PostgresWork(engine, NAMES), assess=News2(), lease_for=LEASE)

        for later in range(20):
            await ingest([a_reading(f"p-{n}", NOW_MS + later) for n in range(3)])

        async with engine.connect() as connection:
            [(statements, custom)] = await connection.execute(PLANNED)
        await engine.dispose()
        assert statements >= 4
        assert custom == 0


class TestADocument:
    """Kilobytes for each patient of a group, spelled out and sent: only to who does not know it."""

    @pytest.mark.parametrize("known", [True, False])
    async def test_comes_with_the_lock_unless_it_is_known(
        self, world: PostgresWorld, ingest: IngestPackets, known: bool
    ) -> None:
        _, [claim] = await ingest([a_reading("p-1")])
        fingerprints = [claim.fingerprint] if known else ["sha256:of-something-else"]

        async with begin(world.engine) as transaction:
            asked = {"projection_ids": [projection_id(claim.subject)], "known": fingerprints}
            [row] = await transaction.fetch(LOCK, asked)

        assert (row["document"] is None) == known
        assert row["fingerprint"] == claim.fingerprint

    async def test_that_another_process_wrote_is_read(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        elsewhere = IngestPackets(
            begin=PostgresWork(world.engine, NAMES), assess=News2(), lease_for=LEASE
        )
        await ingest([a_reading("p-1", NOW_MS)])
        await elsewhere([a_reading("p-1", NOW_MS + 1, temperature=38)])

        _, [claim] = await ingest([a_reading("p-1", NOW_MS + 2)])

        assert claim.version == 3
        assert parse_document(claim.document)["vitals"]["temperature"]["value"] == 38


class TestAFullGroup:
    async def test_a_packet_costs_a_fiftieth_of_a_statement_at_most(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading(f"p-{n}") for n in range(GROUP)])

        async with sent(world.engine) as seen:
            await ingest([a_reading(f"p-{n}", NOW_MS + 1) for n in range(GROUP)])

        assert len(seen) <= GROUP * 0.02, seen


class TestThePrice:
    """Round trips per unit, begin and commit and so many more: for one packet as for a thousand."""

    @pytest.mark.parametrize("packets", [1, 10, 1000])
    async def test_quiet_packets_of_known_patients(
        self, world: PostgresWorld, ingest: IngestPackets, packets: int
    ) -> None:
        await ingest([a_reading(f"p-{n}") for n in range(100)])

        async with sent(world.engine) as seen:
            await ingest([a_reading(f"p-{n % 100}", NOW_MS + 1 + n) for n in range(packets)])

        assert len(seen) == 2 + 4, seen

    @pytest.mark.parametrize("packets", [1, 100])
    async def test_quiet_packets_of_new_patients(
        self, world: PostgresWorld, ingest: IngestPackets, packets: int
    ) -> None:
        async with sent(world.engine) as seen:
            await ingest([a_reading(f"p-{n}") for n in range(packets)])

        assert len(seen) == 2 + 4, seen

    @pytest.mark.parametrize("packets", [1, 100])
    async def test_nothing_but_duplicates(
        self, world: PostgresWorld, ingest: IngestPackets, packets: int
    ) -> None:
        again = [a_reading(f"p-{n}") for n in range(packets)]
        await ingest(again)

        async with sent(world.engine) as seen:
            await ingest(again)

        assert len(seen) == 2 + 2, seen

    @pytest.mark.parametrize("packets", [1, 100])
    async def test_everything_at_once(
        self, world: PostgresWorld, ingest: IngestPackets, packets: int
    ) -> None:
        """Duplicates, earlier encounters, alarms and review items, all of one site."""
        patients = [f"p-{n}" for n in range(packets)]
        first = [a_reading(who, NOW_MS, encounter=f"{who}-1") for who in patients]
        await ingest(first)
        await ingest([a_reading(who, NOW_MS + 2, encounter=f"{who}-2") for who in patients])
        late = [a_reading(who, NOW_MS + 1, encounter=f"{who}-1") for who in patients]
        ill = [an_alarming_reading(who, NOW_MS + 3, encounter=f"{who}-2") for who in patients]

        async with sent(world.engine) as seen:
            await ingest([*first, *late, *ill])

        # record, stored before, lock, recall, assessments, reviews, chain head, audit, owe
        assert len(seen) == 2 + 9, seen

    async def test_each_site_adds_its_chain(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        async with sent(world.engine) as seen:
            await ingest([an_alarming_reading(f"p-{n}", site=f"site-{n}") for n in range(3)])

        assert len(seen) == 2 + 5 + 2 * 3, seen
