"""What time alone brings, told over memory."""

from datetime import timedelta

import pytest

from tests.support import LEASE, MINUTE_MS
from tests.worlds import MemoryWorld, a_reading, an_alarming_reading
from vitalrelay.domain.actions import Mute
from vitalrelay.domain.alarms import AlarmPolicy
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet
from vitalrelay.domain.projection import Claim
from vitalrelay.usecases.act import Act
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.keep_watch import KeepWatch, WatchReport

POLICY = AlarmPolicy(no_data_after_ms=10 * MINUTE_MS)
SILENCE = timedelta(minutes=10)
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(policy=POLICY)


@pytest.fixture
def watch(world: MemoryWorld) -> KeepWatch:
    return watch_of(world)


def watch_of(world: MemoryWorld, batch_size: int = 100) -> KeepWatch:
    return KeepWatch(begin=world.begin, alarms=world.policy, batch_size=batch_size, lease_for=LEASE)


async def ingest(world: MemoryWorld, *packets: Packet) -> list[Claim]:
    take_in = IngestPackets(begin=world.begin, assess=News2(), alarms=world.policy, lease_for=LEASE)
    _, claims = await take_in(packets)
    return claims


async def hear(world: MemoryWorld, *subjects: str) -> None:
    await ingest(world, *(a_reading(subject, world.database.now_ms) for subject in subjects))


def conditions(claim: Claim) -> dict[str, str]:
    return {a["condition"]: a["state"] for a in parse_document(claim.document)["alarms"]}


async def test_there_is_nothing_to_see_where_nobody_is(watch: KeepWatch) -> None:
    report = await watch.run_once()

    assert report == WatchReport()


async def test_a_silent_patient_is_noticed_filed_and_owed(
    world: MemoryWorld, watch: KeepWatch
) -> None:
    await hear(world, "p-1")
    await world.let_pass(SILENCE)

    report = await watch.run_once()

    [claim] = report.claims
    assert (report.looked_at, report.changed) == (1, 1)
    assert (claim.subject, claim.version, claim.attempt) == ("p-1", 2, 1)
    assert conditions(claim) == {"no-data": "active"}
    [event] = world.database.audit.values()
    assert (event.about, event.occurred_at_ms) == ("p-1:no-data", world.database.now_ms)


async def test_the_claims_are_the_callers_while_the_lease_lasts(
    world: MemoryWorld, watch: KeepWatch
) -> None:
    await hear(world, "p-1")
    await world.let_pass(SILENCE)
    await watch.run_once()

    too_early = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)
    in_time = await world.projections.claim(10, LEASE)

    assert too_early == []
    assert [claim.version for claim in in_time] == [2]


async def test_it_is_noticed_once(world: MemoryWorld, watch: KeepWatch) -> None:
    await hear(world, "p-1")
    await world.let_pass(SILENCE)
    await watch.run_once()

    reports = []
    for _ in range(3):
        await world.let_pass(SILENCE)
        reports.append(await watch.run_once())

    assert reports == [WatchReport()] * 3
    assert len(world.database.audit) == 1


async def test_whoever_is_heard_is_not_looked_at(world: MemoryWorld, watch: KeepWatch) -> None:
    reports = []
    for _ in range(30):
        await hear(world, "p-1")
        await world.let_pass(A_MINUTE)
        reports.append(await watch.run_once())

    assert reports == [WatchReport()] * 30


async def test_only_the_silent_ones_are_touched(world: MemoryWorld, watch: KeepWatch) -> None:
    await hear(world, "p-1", "p-2")
    await world.let_pass(A_MINUTE)
    await hear(world, "p-2")
    await world.let_pass(SILENCE - A_MINUTE)

    report = await watch.run_once()

    assert [claim.subject for claim in report.claims] == ["p-1"]
    assert world.database.projections["p-2"].version == 2


async def test_a_packet_ends_it(world: MemoryWorld, watch: KeepWatch) -> None:
    await hear(world, "p-1")
    await world.let_pass(SILENCE)
    await watch.run_once()

    [claim] = await ingest(world, a_reading("p-1", world.database.now_ms))

    assert conditions(claim) == {"no-data": "cleared_unacknowledged"}


async def test_the_longest_overdue_come_first_and_the_others_next_time(
    world: MemoryWorld,
) -> None:
    for subject in ("p-3", "p-1", "p-2"):
        await hear(world, subject)
        await world.let_pass(A_MINUTE)
    await world.let_pass(SILENCE)
    watch = watch_of(world, batch_size=2)

    reports = [await watch.run_once() for _ in range(3)]

    assert [[claim.subject for claim in report.claims] for report in reports] == [
        ["p-3", "p-1"],
        ["p-2"],
        [],
    ]


async def test_after_a_day_a_patient_is_shown_as_not_monitored(
    world: MemoryWorld, watch: KeepWatch
) -> None:
    await hear(world, "p-1")
    await world.let_pass(SILENCE)
    await watch.run_once()
    await world.let_pass(A_DAY - SILENCE)

    [claim] = (await watch.run_once()).claims
    await world.let_pass(A_DAY)

    assert conditions(claim) == {}
    assert parse_document(claim.document)["monitored"] is False
    assert await watch.run_once() == WatchReport()


async def test_a_mute_ends_without_a_packet(world: MemoryWorld, watch: KeepWatch) -> None:
    await ingest(world, an_alarming_reading("p-1", world.database.now_ms))
    act = Act(begin=world.begin, alarms=world.policy, lease_for=LEASE)
    mute = Mute(about="p-1:news2-high", reason="at the bedside", for_ms=MINUTE_MS)
    await act(mute, Signature(actor_ref="nurse-7", actor_role="clinician"))

    too_early = await watch.run_once()
    await world.let_pass(A_MINUTE)
    [claim] = (await watch.run_once()).claims

    assert too_early == WatchReport()
    muted = {a["mutedUntilMs"] for a in parse_document(claim.document)["alarms"]}
    assert muted == {None}
    *_, event = world.database.audit.values()
    assert (event.about, event.change.action) == ("p-1:news2-high", "unmuted")


async def test_old_data_are_watched_for_nothing(world: MemoryWorld, watch: KeepWatch) -> None:
    month_ago = world.database.now_ms - 30 * 24 * 60 * MINUTE_MS
    await ingest(world, *(a_reading(f"p-{n}", month_ago + n) for n in range(50)))

    await world.let_pass(A_DAY)

    assert await watch.run_once() == WatchReport()
