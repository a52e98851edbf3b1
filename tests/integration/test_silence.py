"""Silence on real servers: from the clock, by the job that the worker runs, to the screen."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from persistence.engine import PoolPolicy, create_engine
from tests.support import DAY_MS, LEASE, TWICE
from tests.worlds import NAMES, PostgresWorld, RedisScreens, a_reading, an_alarming_reading
from vitalrelay.adapters.inbound.jobs import watch_patients
from vitalrelay.adapters.inbound.metrics import Metrics
from vitalrelay.adapters.outbound.postgres.records import PostgresEvidence
from vitalrelay.adapters.outbound.postgres.unit_of_work import PostgresWork
from vitalrelay.domain.actions import Acknowledge, Action, Mute
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.chain_check import ChainCheck
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim, Outcome, Unreachable
from vitalrelay.ports.projections import SnapshotPublisher
from vitalrelay.usecases.act import Act
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.keep_watch import KeepWatch
from vitalrelay.usecases.relay_projections import RelayProjections

NUMBERS = itertools.count(1)
NOBODY_LISTENS = create_engine(
    "postgresql://nobody@127.0.0.1:1/nothing", PoolPolicy(size=1), "vitalrelay-tests"
)
A_MINUTE, A_QUARTER, A_DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)
BATCH = 20

Context = dict[str, Any]


@pytest.fixture
def world(postgres_world: PostgresWorld) -> PostgresWorld:
    return postgres_world


def a_worker(world: PostgresWorld, publisher: SnapshotPublisher) -> Context:
    """What the job finds in its context."""
    return {
        "watch": KeepWatch(
            begin=world.begin, alarms=world.policy, batch_size=BATCH, lease_for=LEASE
        ),
        "relay": RelayProjections(
            projections=world.projections,
            publisher=publisher,
            breaker=Breaker(TWICE.outage_pause),
            retry=TWICE,
            batch_size=BATCH,
            lease_for=LEASE,
        ),
        "metrics": Metrics("test"),
        "watching": asyncio.Lock(),
    }


@pytest.fixture
def worker(world: PostgresWorld, redis_screens: RedisScreens) -> Context:
    return a_worker(world, redis_screens.publisher)


async def ingest(world: PostgresWorld, worker: Context, *packets: Packet) -> None:
    """And deliver, as the API does."""
    take_in = IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE)
    _, claims = await take_in(packets)
    await worker["relay"].deliver(claims)


async def hear(world: PostgresWorld, worker: Context, *subjects: str) -> None:
    at_ms = await world.now_ms()
    await ingest(
        world, worker, *(a_reading(one, at_ms, sequence=next(NUMBERS)) for one in subjects)
    )


async def act(world: PostgresWorld, worker: Context, action: Action) -> None:
    does = Act(begin=world.begin, alarms=world.policy, lease_for=LEASE)
    _, claims = await does(action, Signature(actor_ref="nurse-7", actor_role="clinician"))
    await worker["relay"].deliver(claims)


async def alarms(screens: RedisScreens, subject: str = "p-1") -> dict[str, str]:
    document: Any = await screens.document(subject)
    return {alarm["condition"]: alarm["state"] for alarm in document["alarms"]}


async def rows(world: PostgresWorld, query: str) -> list[tuple[Any, ...]]:
    async with world.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def told(world: PostgresWorld) -> list[tuple[Any, ...]]:
    return await rows(
        world,
        "select alarm_id, action, actor_ref from patient_alarm_audit_events order by seq",
    )


async def test_a_silent_patient_is_told_on_the_screen_and_in_the_trail(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1", "p-2")
    await world.let_pass(A_QUARTER)
    await hear(world, worker, "p-2")

    await watch_patients(worker)

    assert await alarms(redis_screens, "p-1") == {"no-data": "active"}
    assert await alarms(redis_screens, "p-2") == {}
    assert (await redis_screens.shown("p-1"))[2] == 2
    assert await told(world) == [("p-1:no-data", "raised", "system")]
    assert await rows(
        world,
        """
        select status, published_version, due_at from patient_monitoring_snapshot_projections
        where demo_subject_id = 'p-1'
        """,
    ) == [("published", 2, None)]


async def test_it_is_measured_by_each_patients_own_cadence(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    """One comes once a minute, the other every five."""
    for minute in range(11):
        await hear(world, worker, "often", *(["seldom"] if minute % 5 == 0 else []))
        if minute < 10:
            await world.let_pass(A_MINUTE)
    await world.let_pass(4 * A_MINUTE)

    await watch_patients(worker)

    assert await alarms(redis_screens, "often") == {"no-data": "active"}
    assert await alarms(redis_screens, "seldom") == {}


async def test_a_packet_ends_it_and_a_person_closes_it(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)
    await watch_patients(worker)

    await hear(world, worker, "p-1")
    heard = await alarms(redis_screens)
    await act(world, worker, Acknowledge(about="p-1:no-data", reason="cable was out"))

    assert heard == {"no-data": "cleared_unacknowledged"}
    assert await alarms(redis_screens) == {}
    assert await told(world) == [
        ("p-1:no-data", "raised", "system"),
        ("p-1:no-data", "cleared", "system"),
        ("p-1:no-data", "acknowledged", "nurse-7"),
    ]


async def test_looking_on_changes_nothing(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)

    for _ in range(5):
        await watch_patients(worker)
        await world.let_pass(A_MINUTE)

    assert (await redis_screens.shown("p-1"))[2] == 2
    assert len(await told(world)) == 1


async def test_after_a_day_the_patient_is_shown_as_not_monitored(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)
    await watch_patients(worker)
    await world.let_pass(A_DAY)

    await watch_patients(worker)
    document: Any = await redis_screens.document("p-1")
    await hear(world, worker, "p-1")
    again: Any = await redis_screens.document("p-1")

    assert (document["alarms"], document["monitored"]) == ([], False)
    assert "monitored" not in again


async def test_a_whole_ward_is_looked_at_in_one_ring(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    subjects = [f"p-{n}" for n in range(3 * BATCH + 1)]
    await hear(world, worker, *subjects)
    await world.let_pass(A_QUARTER)

    await watch_patients(worker)

    assert len(await told(world)) == len(subjects)
    assert {str(await alarms(redis_screens, one)) for one in subjects} == {"{'no-data': 'active'}"}


async def test_a_worker_that_is_told_to_stop_ends_with_what_it_has_in_hand(
    world: PostgresWorld, worker: Context
) -> None:
    await hear(world, worker, *(f"p-{n}" for n in range(3 * BATCH)))
    await world.let_pass(A_QUARTER)

    await watch_patients(worker | {"stopping": True})

    assert len(await told(world)) == BATCH


async def test_a_ring_while_the_one_before_is_at_it_does_nothing(
    world: PostgresWorld, worker: Context
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)

    async with worker["watching"], asyncio.timeout(10):
        await watch_patients(worker)

    assert await told(world) == []


async def test_a_database_that_is_away_is_waited_for_until_the_next_ring(
    world: PostgresWorld, worker: Context
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)
    away = replace(worker["watch"], begin=PostgresWork(NOBODY_LISTENS, NAMES))

    await watch_patients(worker | {"watch": away})
    meanwhile = await told(world)
    await watch_patients(worker)

    assert meanwhile == []
    assert await told(world) == [("p-1:no-data", "raised", "system")]


async def test_a_replay_of_old_data_raises_none(world: PostgresWorld, worker: Context) -> None:
    year_ago = await world.now_ms() - 365 * DAY_MS
    for minute in range(3):
        packets = [
            a_reading(f"p-{n}", year_ago + minute * 60_000, heart_rate=70 + minute)
            for n in range(200)
        ]
        await ingest(world, worker, *packets)
        await world.let_pass(A_MINUTE)

    await world.let_pass(2 * A_DAY)
    await watch_patients(worker)

    assert await told(world) == []
    assert await rows(
        world,
        """
        select count(*), count(look_at), count(heard_at), max(version)
        from patient_monitoring_snapshot_projections
        """,
    ) == [(200, 0, 0, 3)]


async def test_a_replay_beside_a_live_stream_neither_starts_nor_hides_silence(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1", "p-2")
    await world.let_pass(A_QUARTER - A_MINUTE)
    await hear(world, worker, "p-2")
    year_ago = await world.now_ms() - 365 * DAY_MS
    await ingest(world, worker, a_reading("p-1", year_ago), a_reading("p-2", year_ago))
    await world.let_pass(A_MINUTE)

    await watch_patients(worker)

    assert await alarms(redis_screens, "p-1") == {"no-data": "active"}
    assert await alarms(redis_screens, "p-2") == {}


async def test_a_mute_ends_without_a_packet(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await ingest(world, worker, an_alarming_reading("p-1", await world.now_ms()))
    mute = Mute(about="p-1:news2-high", reason="at the bedside", for_ms=300)

    await act(world, worker, mute)
    muted = await muted_until(redis_screens)
    async with asyncio.timeout(20):
        while await muted_until(redis_screens) is not None:
            await watch_patients(worker)
            await asyncio.sleep(0.02)

    assert muted <= await world.now_ms()
    assert (await told(world))[-2:] == [
        ("p-1:news2-high", "muted", "nurse-7"),
        ("p-1:news2-high", "unmuted", "system"),
    ]


async def muted_until(screens: RedisScreens) -> int | None:
    document: Any = await screens.document("p-1")
    [until_ms] = [
        alarm["mutedUntilMs"] for alarm in document["alarms"] if alarm["condition"] == "news2-high"
    ]
    return until_ms


class RedisIsAway:
    async def publish(self, claims: Sequence[Claim]) -> list[Outcome]:
        return [Unreachable("away")] * len(claims)


async def test_silence_is_noticed_while_redis_is_away_and_shown_afterwards(
    world: PostgresWorld, worker: Context, redis_screens: RedisScreens
) -> None:
    await hear(world, worker, "p-1")
    await world.let_pass(A_QUARTER)

    await watch_patients(a_worker(world, RedisIsAway()))
    meanwhile = await alarms(redis_screens)
    await world.let_pass(LEASE)
    await worker["relay"].run_once()

    assert meanwhile == {}
    assert await alarms(redis_screens) == {"no-data": "active"}


async def test_the_audit_trail_is_one_chain_with_people_and_packets_in_it(
    world: PostgresWorld, worker: Context
) -> None:
    """Silence, packets and people, again and again, with who comes once a minute."""
    await ingest(world, worker, an_alarming_reading("p-1", await world.now_ms()))
    await world.let_pass(A_MINUTE)
    await hear(world, worker, "p-1")
    for _ in range(3):
        await world.let_pass(A_QUARTER)
        await watch_patients(worker)
        await act(world, worker, Acknowledge(about="p-1:no-data", reason="seen"))
        await hear(world, worker, "p-1")

    evidence, check = PostgresEvidence(world.engine), ChainCheck()
    [(site, head)] = (await evidence.audit_heads()).items()
    async for event in evidence.audit_of(site):
        check.follow(event)
    check.end(head)

    assert check.broken == 0
    assert [line for line in await told(world) if line[0] == "p-1:no-data"] == [
        ("p-1:no-data", action, actor)
        for action, actor in [
            ("raised", "system"),
            ("acknowledged", "nurse-7"),
            ("resolved", "system"),
        ]
        * 3
    ]
