"""The first story, told over memory."""

from collections.abc import Callable

import pytest

from tests.support import HOUR_MS, LEASE, MINUTE_MS, NOW_MS, TWICE
from tests.worlds import MemoryScreens, MemoryWorld, a_reading, an_alarming_reading
from vitalrelay.domain.assessment import Assessment
from vitalrelay.domain.breaker import Breaker
from vitalrelay.domain.document import parse_document
from vitalrelay.domain.errors import EncounterOfAnother
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.projection import Landed, Unreachable
from vitalrelay.domain.receipt import Conflict, Receipt, Stored
from vitalrelay.domain.snapshot import Encounter
from vitalrelay.usecases.ingest_packets import IngestPackets
from vitalrelay.usecases.relay_projections import RelayProjections


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
def ingest(world: MemoryWorld) -> IngestPackets:
    return ingest_with(world, News2())


def ingest_with(world: MemoryWorld, model: Callable[[Encounter], Assessment]) -> IngestPackets:
    return IngestPackets(begin=world.begin, assess=model, lease_for=LEASE)


def stored(receipt: Receipt) -> Stored:
    assert isinstance(receipt, Stored)
    return receipt


async def test_a_packet_is_kept_assessed_and_owed(
    world: MemoryWorld, ingest: IngestPackets
) -> None:
    packet = a_reading("p-1", heart_rate=131)

    [receipt], [claim] = await ingest([packet])

    first = stored(receipt)
    assert (first.packet, first.subject, first.duplicate) == (packet.id, "p-1", False)
    assert first.received_ms == world.database.now_ms
    assert (first.standing.version, first.standing.fingerprint) == (1, claim.fingerprint)
    assert first.standing.assessment.score == 3
    assert (claim.subject, claim.version, claim.attempt) == ("p-1", 1, 1)
    assert parse_document(claim.document)["vitals"]["heart_rate"]["value"] == 131


async def test_while_the_store_is_away_nothing_is_leased_and_anybody_may_deliver(
    world: MemoryWorld,
) -> None:
    breaker = Breaker(LEASE)
    ingest = IngestPackets(begin=world.begin, assess=News2(), lease_for=LEASE, breaker=breaker)
    await ingest([a_reading("p-1")])
    breaker.learn([Unreachable("ConnectionError")])
    await ingest([a_reading("p-2")])

    due = await world.projections.claim(10, LEASE)

    assert [claim.subject for claim in due] == ["p-2"]


async def test_the_claims_are_the_callers_while_the_lease_lasts(
    world: MemoryWorld, ingest: IngestPackets
) -> None:
    await ingest([a_reading("p-1")])

    too_early = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)
    in_time = await world.projections.claim(10, LEASE)

    assert too_early == []
    assert [claim.subject for claim in in_time] == ["p-1"]


async def test_packets_of_one_patient_that_come_together_are_one_version(
    ingest: IngestPackets,
) -> None:
    packets = [a_reading("p-1", NOW_MS + n, heart_rate=70 + n) for n in range(5)]

    receipts, [claim] = await ingest(packets)

    assert claim.version == 1
    assert {stored(receipt).standing.version for receipt in receipts} == {1}
    assert parse_document(claim.document)["vitals"]["heart_rate"]["value"] == 74


async def test_each_patient_is_owed_once(ingest: IngestPackets) -> None:
    packets = [a_reading(f"p-{n % 3}", NOW_MS + n) for n in range(9)]

    _, claims = await ingest(packets)

    assert sorted(claim.subject for claim in claims) == ["p-0", "p-1", "p-2"]


async def test_a_patients_versions_rise_by_one(ingest: IngestPackets) -> None:
    versions = []
    for n in range(3):
        _, [claim] = await ingest([a_reading("p-1", NOW_MS + n)])
        versions.append(claim.version)

    assert versions == [1, 2, 3]


async def test_receipts_come_in_the_order_of_the_packets(ingest: IngestPackets) -> None:
    await ingest([a_reading("p-2"), a_reading("p-3", heart_rate=70)])
    packets = [
        a_reading("p-4"),
        a_reading("p-3", heart_rate=71),
        a_reading("p-2"),
        a_reading("p-1"),
    ]

    receipts, _ = await ingest(packets)

    assert [
        "conflict" if isinstance(receipt, Conflict) else (receipt.packet, receipt.duplicate)
        for receipt in receipts
    ] == [(packets[0].id, False), "conflict", (packets[2].id, True), (packets[3].id, False)]


async def test_a_duplicate_gets_the_first_receipt_and_owes_nothing(
    world: MemoryWorld, ingest: IngestPackets
) -> None:
    [first], _ = await ingest([a_reading("p-1")])
    await world.let_pass(LEASE)

    [again], claims = await ingest([a_reading("p-1")])

    assert claims == []
    assert stored(again).received_ms == stored(first).received_ms
    assert stored(again).standing == stored(first).standing
    assert stored(again).duplicate


async def test_a_duplicate_stands_where_its_patient_stands_after_this_group(
    ingest: IngestPackets,
) -> None:
    await ingest([a_reading("p-1", NOW_MS)])

    receipts, [claim] = await ingest([a_reading("p-1", NOW_MS), a_reading("p-1", NOW_MS + 1)])

    assert [stored(receipt).standing.version for receipt in receipts] == [2, 2]
    assert {stored(receipt).standing.fingerprint for receipt in receipts} == {claim.fingerprint}


async def test_a_packet_that_comes_twice_in_a_group_is_stored_once(ingest: IngestPackets) -> None:
    packet = a_reading("p-1")

    receipts, [claim] = await ingest([packet, packet])

    assert [stored(receipt).duplicate for receipt in receipts] == [False, True]
    assert [stored(receipt).standing.version for receipt in receipts] == [1, 1]
    assert stored(receipts[0]).received_ms == stored(receipts[1]).received_ms
    assert claim.version == 1


async def test_other_content_under_the_same_id_is_a_conflict_and_changes_nothing(
    ingest: IngestPackets,
) -> None:
    [first], _ = await ingest([a_reading("p-1", heart_rate=70)])

    [conflict], claims = await ingest([a_reading("p-1", heart_rate=150)])
    [again], _ = await ingest([a_reading("p-1", heart_rate=70)])

    assert (conflict, claims) == (Conflict(), [])
    assert stored(again).standing == stored(first).standing


async def test_a_device_clock_in_the_future_is_clamped_and_named(
    world: MemoryWorld, ingest: IngestPackets
) -> None:
    ahead = a_reading("p-1", world.database.now_ms + HOUR_MS)

    [receipt], [claim] = await ingest([ahead])

    assert stored(receipt).clock_suspect
    assert parse_document(claim.document)["asOfMs"] == world.database.now_ms


async def test_what_an_alarm_saw_does_not_depend_on_who_shared_the_transaction(
    world: MemoryWorld,
) -> None:
    packets = [
        a_reading("p-1", NOW_MS, systolic_bp=120),
        an_alarming_reading("p-1", NOW_MS + 1),
        a_reading("p-1", NOW_MS + 2, respiratory_rate=16, spo2=98),
    ]
    together, one_by_one = world, MemoryWorld()

    await ingest_with(together, News2())(packets)
    for packet in packets:
        await ingest_with(one_by_one, News2())([packet])

    assert seen_by_alarms(together) == seen_by_alarms(one_by_one)
    assert len(seen_by_alarms(together)) == 8


def seen_by_alarms(world: MemoryWorld) -> list[tuple[str, str, str, int | None]]:
    return [
        (event.about, event.change.action, event.packet, event.assessment.score)
        for event in world.database.audit.values()
        if event.packet is not None and event.assessment is not None
    ]


async def test_alarms_and_review_items_are_filed_with_the_packet(
    world: MemoryWorld, ingest: IngestPackets
) -> None:
    packet = an_alarming_reading("p-1", encounter="e-1")

    await ingest([packet])

    [item] = world.database.reviews.values()
    assert (item.id, item.priority, item.state) == ("review:e-1", "high", "open")
    owner, assessed = world.database.assessments[packet.encounter]
    assert (owner, assessed.assessment.risk_level) == ("p-1", "high")
    assert [event.change.action for event in world.database.audit.values()] == ["raised"] * 4


async def test_a_late_packet_changes_nothing_shown(ingest: IngestPackets) -> None:
    _, [before] = await ingest([a_reading("p-1", NOW_MS)])

    _, [after] = await ingest([an_alarming_reading("p-1", NOW_MS - MINUTE_MS, encounter="e-0")])

    assert (after.version, after.fingerprint) == (2, before.fingerprint)


class TestAllOrNothing:
    async def test_another_patients_encounter_refuses_the_whole_group(
        self, world: MemoryWorld, ingest: IngestPackets
    ) -> None:
        await ingest([a_reading("p-1", encounter="e-1")])
        kept = dict(world.database.packets)

        with pytest.raises(EncounterOfAnother):
            await ingest([a_reading("p-2"), a_reading("p-3", encounter="e-1")])

        assert world.database.packets == kept
        assert list(world.database.projections) == ["p-1"]

    async def test_a_model_that_fails_leaves_nothing_behind(self, world: MemoryWorld) -> None:
        def broken(encounter: Encounter) -> Assessment:
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            await ingest_with(world, broken)([a_reading("p-1")])

        assert world.database.packets == {}
        assert world.database.projections == {}

    async def test_nobody_is_told_before_the_commit(self, world: MemoryWorld) -> None:
        seen = []

        def watching(encounter: Encounter) -> Assessment:
            seen.append((dict(world.database.packets), dict(world.database.projections)))
            return News2()(encounter)

        await ingest_with(world, watching)([a_reading("p-1")])

        assert seen == [({}, {})]

    async def test_no_packets_are_no_receipts(self, ingest: IngestPackets) -> None:
        assert await ingest([]) == ([], [])


async def test_both_stories_end_on_the_screen(world: MemoryWorld, ingest: IngestPackets) -> None:
    screens = MemoryScreens()
    relay = RelayProjections(
        projections=world.projections,
        publisher=screens.publisher,
        breaker=Breaker(TWICE.outage_pause),
        retry=TWICE,
        batch_size=10,
        lease_for=LEASE,
    )
    _, delivered = await ingest([a_reading("p-1", NOW_MS)])
    _, left_lying = await ingest([a_reading("p-2", NOW_MS + 1)])

    at_once = await relay.deliver(delivered)
    await world.let_pass(LEASE)
    later = await relay.run_once()

    assert at_once.outcomes == later.outcomes == (Landed.WRITTEN,)
    assert [subject for subject, *_ in await screens.events()] == ["p-1", "p-2"]
    assert await screens.latest() == "p-2"
    assert left_lying[0].lease != delivered[0].lease
