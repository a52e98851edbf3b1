"""Recording on a real PostgreSQL: who waits for whom, what is left behind, and at what price."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support import HOUR_MS, LEASE, MINUTE_MS, NOW_MS
from tests.worlds import PostgresWorld, a_reading, an_alarming_reading
from vitalrelay.adapters.outbound.postgres.tables import metadata
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.errors import EncounterOfAnother, InvalidPacket, OutcomeUnknown
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.receipt import Conflict, Duplicate, New, Receipt, Recorded, Stored
from vitalrelay.usecases.ingest_packets import IngestPackets


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


@pytest.fixture
def ingest(world: PostgresWorld) -> IngestPackets:
    return IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE)


async def select(engine: AsyncEngine, query: str) -> list[Any]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def counts(engine: AsyncEngine) -> dict[str, int]:
    """Rows by table, of those that have any."""
    tables = [table.name for table in metadata.sorted_tables if table.name != "relay_state"]
    rows = [
        (table, (await select(engine, f"select count(*) from {table}"))[0][0]) for table in tables
    ]
    return {table: count for table, count in rows if count}


async def record(world: PostgresWorld, packets: Sequence[Packet]) -> list[Recorded]:
    async with world.begin() as work:
        return await work.record(packets)


def outcome(receipt: Receipt) -> str:
    if isinstance(receipt, Conflict):
        return "conflict"
    return "duplicate" if receipt.duplicate else "stored"


class TestRows:
    async def test_a_packet_is_kept_as_it_was_sent(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        packet = a_reading("p-1", encounter="e-1", sequence=7, temperature=36.6, consciousness="A")

        [receipt], _ = await ingest([packet])

        [row] = await select(
            world.engine,
            """
            select packet_id, site_id, device_id, demo_subject_id, encounter_id, timestamp_ms,
                content_fingerprint, clock_suspect, payload::text,
                (extract(epoch from received_at) * 1000)::float8
            from patient_signal_packets
            """,
        )
        content = canonical_json(packet.content())
        assert row[:6] == (packet.id, "seoul-01", "bed-of-p-1", "p-1", "e-1", NOW_MS)
        assert row[6:8] == (fingerprint(content), False)
        assert canonical_json(parse_document(row[8])) == content
        assert isinstance(receipt, Stored)
        assert row[9] == receipt.received_ms

    async def test_packet_assessment_and_projection_come_together(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1"), a_reading("p-2"), an_alarming_reading("p-3")])

        assert await counts(world.engine) == {
            "patient_signal_packets": 3,
            "patient_risk_assessments": 3,
            "patient_monitoring_snapshot_projections": 3,
            "patient_review_queue": 1,
            "patient_alarm_audit_events": 4,
            "patient_alarm_audit_chains": 1,
        }

    async def test_leaving_without_commit_leaves_no_trace(self, world: PostgresWorld) -> None:
        async with world.begin() as work:
            [answer] = await work.record([an_alarming_reading("p-1")])
            assert isinstance(answer, New)
            [chart] = await work.lock([answer.received])
            chart.fold(answer.received, News2())
            await work.file([chart])
            await work.owe([chart], LEASE)

        assert await counts(world.engine) == {}

    async def test_a_refused_unit_leaves_no_trace(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1", encounter="e-1")])
        before = await counts(world.engine)

        with pytest.raises(EncounterOfAnother):
            await ingest([an_alarming_reading("p-2", encounter="e-1"), a_reading("p-3")])

        assert await counts(world.engine) == before

    async def test_what_the_database_will_not_have_is_an_invalid_packet(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """K-40: refused at the edge already; if it comes through, it is still nobody's outage."""
        with pytest.raises(InvalidPacket):
            await ingest([a_reading("p-1", device="bed\0")])

        assert await counts(world.engine) == {}

    async def test_an_encounter_has_one_assessment_and_it_is_the_current_one(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        for turn in range(3):
            await ingest([a_reading("p-1", NOW_MS + turn, heart_rate=60 + 40 * turn)])

        rows = await select(
            world.engine,
            "select assessment_key, risk_level, packet_id from patient_risk_assessments",
        )
        newest = f"seoul-01:bed-of-p-1:{NOW_MS + 2}"
        assert rows == [("p-1:news2:current", "low-medium", newest)]


class TestAnswers:
    async def test_an_old_packet_in_a_batch_of_new_ones(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        known, changed = a_reading("p-1"), a_reading("p-2", heart_rate=71)
        await ingest([known, a_reading("p-2", heart_rate=70)])

        receipts, claims = await ingest([changed, a_reading("p-3"), known, a_reading("p-3")])

        assert [outcome(receipt) for receipt in receipts] == [
            "conflict",
            "stored",
            "duplicate",
            "duplicate",
        ]
        assert [claim.subject for claim in claims] == ["p-3"]

    async def test_a_conflict_leaves_the_stored_content(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1", heart_rate=70)])

        await ingest([a_reading("p-1", heart_rate=71)])

        assert await select(
            world.engine, "select payload -> 'signals' -> 0 ->> 'value' from patient_signal_packets"
        ) == [("70",)]

    async def test_a_packet_twice_in_one_unit_is_kept_once(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        packet = a_reading("p-1")

        receipts, [claim] = await ingest([packet, packet, a_reading("p-1", heart_rate=99)])

        assert [outcome(receipt) for receipt in receipts] == ["stored", "duplicate", "conflict"]
        assert claim.version == 1
        assert (await counts(world.engine))["patient_signal_packets"] == 1

    async def test_a_duplicate_tells_the_first_receipt(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """A clock that ran ahead at the first receipt is said to have done so for good."""
        ahead = a_reading("p-1", NOW_MS + 100 * 365 * 24 * HOUR_MS)
        [first], _ = await ingest([ahead])
        await ingest([a_reading("p-1")])

        [again], _ = await ingest([ahead])

        assert isinstance(first, Stored)
        assert isinstance(again, Stored)
        assert (again.received_ms, again.clock_suspect) == (first.received_ms, True)
        assert again.standing.version == 2

    async def test_an_earlier_encounter_is_recalled_from_its_packets(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await ingest([an_alarming_reading("p-1", NOW_MS, encounter="e-1")])
        await ingest([a_reading("p-1", NOW_MS + HOUR_MS, encounter="e-2", temperature=37.5)])

        back = a_reading("p-1", NOW_MS + 2 * HOUR_MS, encounter="e-1", heart_rate=90)
        _, [claim] = await ingest([back])

        document = parse_document(claim.document)
        assert document["encounterId"] == "e-1"
        assert {code: vital["value"] for code, vital in document["vitals"].items()} == {
            "heart_rate": 90,
            "respiratory_rate": 30,
            "spo2": 85,
        }


class TestAtOnce:
    async def test_the_second_unit_with_a_packet_waits_for_the_first(
        self, world: PostgresWorld
    ) -> None:
        packet = a_reading("p-1")
        async with world.begin() as first:
            await self.take_in(first, packet)
            second = asyncio.create_task(record(world, [packet]))
            await somebody_waits(world.engine)
            undecided = not second.done()
            await first.commit()

        [answer] = await second
        assert undecided
        assert isinstance(answer, Duplicate)

    async def test_if_the_first_unit_gives_up_the_second_has_the_packet(
        self, world: PostgresWorld
    ) -> None:
        packet = a_reading("p-1")
        async with world.begin() as first:
            await self.take_in(first, packet)
            second = asyncio.create_task(record(world, [packet]))
            await somebody_waits(world.engine)

        [answer] = await second
        assert isinstance(answer, New)

    async def take_in(self, work: Any, packet: Packet) -> None:
        [answer] = await work.record([packet])
        [chart] = await work.lock([answer.received])
        chart.fold(answer.received, News2())
        await work.file([chart])
        await work.owe([chart], LEASE)

    async def test_of_many_units_with_one_packet_one_stores_it(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        results = await asyncio.gather(*(ingest([a_reading("p-1")]) for _ in range(20)))

        outcomes = Counter(outcome(receipt) for [receipt], _ in results)
        assert outcomes == {"stored": 1, "duplicate": 19}
        assert sum(len(claims) for _, claims in results) == 1

    async def test_units_with_the_same_patients_in_any_order_never_wait_both_ways(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """A deadlock would be a Contention here: nobody tries again."""
        random.seed(20260101)
        patients = [f"p-{number}" for number in range(10)]
        units = []
        for number in range(200):
            chosen = random.sample(patients, 6)
            kinds = random.choices([a_reading, an_alarming_reading], k=6)
            at_ms = NOW_MS + number * MINUTE_MS
            units.append([kind(who, at_ms) for kind, who in zip(kinds, chosen, strict=True)])

        results = await asyncio.gather(*map(ingest, units))

        versions: dict[str, list[int]] = {patient: [] for patient in patients}
        for _, claims in results:
            for claim in claims:
                versions[claim.subject].append(claim.version)
        assert sum(map(len, versions.values())) == 1200
        for owed in versions.values():
            assert sorted(owed) == list(range(1, len(owed) + 1))

    async def test_units_that_share_packets_and_patients_never_wait_both_ways(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        """Gateways that repeat whole batches, some backwards, of patients nobody has seen yet."""
        random.seed(20260102)
        packets = [a_reading(f"p-{n % 10}", NOW_MS + n * MINUTE_MS) for n in range(40)]
        units = [random.sample(packets, 15) for _ in range(100)]

        results = await asyncio.gather(*map(ingest, units))

        outcomes = Counter(outcome(receipt) for receipts, _ in results for receipt in receipts)
        assert outcomes == {"stored": 40, "duplicate": 1460}

    async def test_the_audit_chain_of_a_site_does_not_fork(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        await asyncio.gather(*(ingest([an_alarming_reading(f"p-{n}")]) for n in range(20)))

        links = await select(
            world.engine,
            "select seq, previous_hash, hash from patient_alarm_audit_events order by 1",
        )
        assert [seq for seq, _, _ in links] == list(range(1, 81))
        assert [previous for _, previous, _ in links[1:]] == [hash_ for _, _, hash_ in links[:-1]]


class TestTheConnection:
    async def test_a_server_that_goes_away_before_the_commit_leaves_the_outcome_unknown(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        async with world.begin() as work:
            await work.record([a_reading("p-1")])
            await end_whoever_is_idle_in_transaction(world.engine)

            with pytest.raises(OutcomeUnknown):
                await work.commit()

        [receipt], _ = await ingest([a_reading("p-1")])
        assert outcome(receipt) == "stored"

    async def test_a_cancelled_unit_leaves_no_lock_and_no_connection(
        self, world: PostgresWorld, ingest: IngestPackets
    ) -> None:
        packet = a_reading("p-1")
        async with world.begin() as first:
            await first.record([packet])
            waiting = asyncio.create_task(ingest([packet]))
            await somebody_waits(world.engine)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        [receipt], _ = await ingest([packet])
        assert outcome(receipt) == "stored"
        assert world.engine.pool.checkedout() == 0


async def somebody_waits(engine: AsyncEngine) -> None:
    """Until a statement of this database waits for a lock."""
    query = """
        select count(*) from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()
    """
    async with asyncio.timeout(10):
        while (await select(engine, query))[0][0] == 0:
            pass


async def end_whoever_is_idle_in_transaction(engine: AsyncEngine) -> None:
    query = """
        select pg_terminate_backend(pid, 10000) from pg_stat_activity
        where state = 'idle in transaction' and datname = current_database()
    """
    assert await select(engine, query) == [(True,)]
