"""What ingest may rely on, whoever keeps the packets."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.support import LEASE, MINUTE_MS, NOW_MS
from tests.worlds import DatabaseWorld, a_reading, an_alarming_reading
from vitalrelay.domain.chart import Chart, fold_all
from vitalrelay.domain.document import parse_document, snapshot_from
from vitalrelay.domain.errors import EncounterOfAnother, InvalidPacket
from vitalrelay.domain.fingerprint import canonical_json, fingerprint
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet, Received
from vitalrelay.domain.projection import Claim, Published
from vitalrelay.domain.receipt import Conflict, Duplicate, New, Recorded
from vitalrelay.ports.unit_of_work import UnitOfWork


@pytest.fixture(params=["memory_world", "postgres_world"])
def world(request: pytest.FixtureRequest) -> DatabaseWorld:
    return request.getfixturevalue(request.param)


async def record(world: DatabaseWorld, *packets: Packet) -> list[Recorded]:
    """In a unit that is left without having been committed."""
    async with world.begin() as work:
        return await work.record(packets)


async def take_in(work: UnitOfWork, packets: Sequence[Packet]) -> list[Claim]:
    new = [answer.received for answer in await work.record(packets) if isinstance(answer, New)]
    charts = fold_all(await work.lock(new), new, News2())
    await work.file(charts)
    return await work.owe(charts, LEASE)


async def ingest(world: DatabaseWorld, *packets: Packet) -> list[Claim]:
    async with world.begin() as work:
        claims = await take_in(work, packets)
        await work.commit()
    return claims


async def charts_for(world: DatabaseWorld, *packets: Packet) -> list[Chart]:
    async with world.begin() as work:
        answers = await work.record(packets)
        return await work.lock([answer.received for answer in answers if isinstance(answer, New)])


def heart_rate(chart: Chart) -> Decimal:
    assert chart.snapshot.encounter is not None
    return chart.snapshot.encounter.vitals["heart_rate"].value


class TestRecord:
    async def test_a_packet_never_seen_before_is_new(self, world: DatabaseWorld) -> None:
        packet = a_reading("p-1")

        [answer] = await record(world, packet)

        assert answer == New(Received(packet, answer.received.at_ms))

    async def test_there_is_one_answer_per_packet_in_their_order(
        self, world: DatabaseWorld
    ) -> None:
        # later in the order than in the ids
        packets = [a_reading(f"p-{number}") for number in (3, 1, 2)]

        answers = await record(world, *packets)

        assert [answer.received.packet for answer in answers] == packets

    async def test_the_same_packet_again_is_a_duplicate_with_the_first_receipt(
        self, world: DatabaseWorld
    ) -> None:
        async with world.begin() as work:
            [first] = await work.record([a_reading("p-1")])
            charts = fold_all(await work.lock([first.received]), [first.received], News2())
            await work.file(charts)
            await work.owe(charts, LEASE)
            await work.commit()

        [again] = await record(world, a_reading("p-1"))

        assert (again.received_ms, again.clock_suspect) == (first.received.at_ms, False)

    async def test_a_duplicate_stands_where_the_patient_stands_now(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", NOW_MS))
        [newest] = await ingest(world, a_reading("p-1", NOW_MS + MINUTE_MS, heart_rate=120))

        [again] = await record(world, a_reading("p-1", NOW_MS))

        assert (again.standing.version, again.standing.fingerprint) == (2, newest.fingerprint)
        assert again.standing.assessment.score == 2

    async def test_a_number_written_differently_is_the_same_number(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", heart_rate=72))

        [again] = await record(world, a_reading("p-1", heart_rate=Decimal("72.0")))

        assert isinstance(again, Duplicate)

    async def test_other_content_under_the_same_id_is_a_conflict_and_changes_nothing(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", heart_rate=72))

        [conflict] = await record(world, a_reading("p-1", heart_rate=73))
        [first] = await record(world, a_reading("p-1", heart_rate=72))

        assert conflict == Conflict()
        assert isinstance(first, Duplicate)

    async def test_the_same_content_for_another_patient_is_a_conflict(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", device="bed-7", encounter="e-1"))

        [answer] = await record(world, a_reading("p-2", device="bed-7", encounter="e-1"))

        assert answer == Conflict()

    async def test_a_packet_twice_in_one_unit_is_new_once(self, world: DatabaseWorld) -> None:
        packet = a_reading("p-1")

        first, second = await record(world, packet, packet)

        received = first.received
        assert first == New(received)
        assert second == Duplicate(received.at_ms, received.clock_suspect, None)

    async def test_within_one_unit_too_the_first_content_stays(self, world: DatabaseWorld) -> None:
        first, second = await record(
            world, a_reading("p-1", heart_rate=72), a_reading("p-1", heart_rate=73)
        )

        assert isinstance(first, New)
        assert second == Conflict()

    async def test_a_conflict_hides_no_later_duplicate(self, world: DatabaseWorld) -> None:
        await ingest(world, a_reading("p-1", heart_rate=72))

        answers = await record(
            world, a_reading("p-1", heart_rate=73), a_reading("p-1", heart_rate=72)
        )

        assert [type(answer) for answer in answers] == [Conflict, Duplicate]

    async def test_of_two_units_at_once_only_one_calls_a_packet_new(
        self, world: DatabaseWorld
    ) -> None:
        async def answer() -> Recorded:
            async with world.begin() as work:
                [answer] = await work.record([a_reading("p-1")])
                new = [answer.received] if isinstance(answer, New) else []
                charts = fold_all(await work.lock(new), new, News2())
                await work.file(charts)
                await work.owe(charts, LEASE)
                await work.commit()
                return answer

        answers = await asyncio.gather(*(answer() for _ in range(5)))

        assert sorted(type(answer).__name__ for answer in answers) == ["Duplicate"] * 4 + ["New"]

    async def test_a_clock_that_runs_ahead_is_suspect_for_good(self, world: DatabaseWorld) -> None:
        ahead = a_reading("p-1", 4_102_444_800_000)  # 2100-01-01
        await ingest(world, ahead)

        [again] = await record(world, ahead)

        assert again.clock_suspect

    async def test_nothing_is_answered_to_nothing(self, world: DatabaseWorld) -> None:
        assert await record(world) == []


class TestLock:
    async def test_the_chart_of_a_new_patient_is_empty(self, world: DatabaseWorld) -> None:
        [chart] = await charts_for(world, a_reading("p-1"))

        assert (chart.subject, chart.snapshot.version) == ("p-1", 1)
        assert chart.snapshot.encounter is None

    async def test_each_patient_has_one_chart(self, world: DatabaseWorld) -> None:
        charts = await charts_for(
            world, a_reading("p-2"), a_reading("p-1"), a_reading("p-2", NOW_MS + MINUTE_MS)
        )

        assert sorted(chart.subject for chart in charts) == ["p-1", "p-2"]

    async def test_a_chart_goes_on_where_the_last_unit_left_it(self, world: DatabaseWorld) -> None:
        await ingest(world, an_alarming_reading("p-1", NOW_MS))

        [chart] = await charts_for(world, a_reading("p-1", NOW_MS + MINUTE_MS))

        assert chart.snapshot.version == 2
        assert heart_rate(chart) == 140
        assert [alarm.name for alarm in chart.snapshot.alarms] == [
            "vital-red:respiratory_rate",
            "vital-red:spo2",
            "vital-red:heart_rate",
            "news2-high",
        ]
        assert chart.snapshot.review is not None
        assert chart.snapshot.review.id == "review:p-1"

    async def test_no_new_packet_needs_no_chart(self, world: DatabaseWorld) -> None:
        async with world.begin() as work:
            charts = await work.lock([])

        assert charts == []

    async def test_a_late_packet_finds_its_earlier_encounter_as_it_was(
        self, world: DatabaseWorld
    ) -> None:
        oxygen = a_reading("p-1", NOW_MS, encounter="e-1", heart_rate=61)
        await ingest(world, oxygen)
        await ingest(world, a_reading("p-1", NOW_MS + 60 * MINUTE_MS, encounter="e-2"))

        late = a_reading("p-1", NOW_MS + 90 * MINUTE_MS, encounter="e-1", heart_rate=90)
        earlier = a_reading("p-1", NOW_MS - MINUTE_MS, encounter="e-1", heart_rate=50)
        [claim] = await ingest(world, earlier, late)

        shown = snapshot_from(parse_document(claim.document), claim.version)
        assert shown.encounter is not None
        assert (shown.encounter.id, shown.version) == ("e-1", 3)
        assert shown.encounter.vitals["heart_rate"].value == 90

    async def test_what_was_measured_in_an_earlier_encounter_is_recalled(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, an_alarming_reading("p-1", NOW_MS, encounter="e-1"))
        await ingest(world, a_reading("p-1", NOW_MS + 60 * MINUTE_MS, encounter="e-2"))

        back = a_reading("p-1", NOW_MS + 90 * MINUTE_MS, encounter="e-1", heart_rate=90)
        [claim] = await ingest(world, back)

        shown = snapshot_from(parse_document(claim.document), claim.version)
        assert shown.encounter is not None
        assert {code: vital.value for code, vital in shown.encounter.vitals.items()} == {
            "heart_rate": 90,
            "respiratory_rate": 30,
            "spo2": 85,
        }

    async def test_a_late_packet_of_an_earlier_encounter_changes_nothing_shown(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", NOW_MS, encounter="e-1"))
        [before] = await ingest(world, a_reading("p-1", NOW_MS + MINUTE_MS, encounter="e-2"))

        [after] = await ingest(world, a_reading("p-1", NOW_MS - MINUTE_MS, encounter="e-1"))

        assert (before.version, after.version) == (2, 3)
        assert before.fingerprint == after.fingerprint


class TestFile:
    async def test_an_encounter_stays_with_its_patient(self, world: DatabaseWorld) -> None:
        await ingest(world, a_reading("p-1", encounter="e-1"))

        with pytest.raises(EncounterOfAnother):
            await ingest(world, a_reading("p-2", encounter="e-1"))

    async def test_nothing_is_kept_of_a_unit_that_took_anothers_encounter(
        self, world: DatabaseWorld
    ) -> None:
        await ingest(world, a_reading("p-1", encounter="e-1"))
        taken, innocent = a_reading("p-2", encounter="e-1"), a_reading("p-3")

        with pytest.raises(InvalidPacket):
            await ingest(world, taken, innocent)

        answers = await record(world, taken, innocent)
        assert [type(answer) for answer in answers] == [New, New]

    async def test_two_patients_in_one_unit_cannot_share_an_encounter(
        self, world: DatabaseWorld
    ) -> None:
        with pytest.raises(InvalidPacket):
            await ingest(
                world, a_reading("p-1", encounter="e-1"), a_reading("p-2", encounter="e-1")
            )

        assert isinstance((await record(world, a_reading("p-1", encounter="e-1")))[0], New)

    async def test_a_patient_may_return_to_an_encounter(self, world: DatabaseWorld) -> None:
        await ingest(world, a_reading("p-1", NOW_MS, encounter="e-1"))
        await ingest(world, a_reading("p-1", NOW_MS + MINUTE_MS, encounter="e-2"))

        [claim] = await ingest(world, a_reading("p-1", NOW_MS + 2 * MINUTE_MS, encounter="e-1"))

        assert claim.version == 3


class TestOwe:
    async def test_what_is_owed_is_what_was_folded(self, world: DatabaseWorld) -> None:
        [claim] = await ingest(world, a_reading("p-1", heart_rate=131))

        document = parse_document(claim.document)
        assert (claim.subject, claim.version, claim.incarnation) == ("p-1", 1, 1)
        assert document["asOfMs"] == NOW_MS
        assert document["vitals"]["heart_rate"]["value"] == 131
        assert document["assessment"]["riskLevel"] == "low-medium"

    async def test_what_is_owed_is_born_claimed(self, world: DatabaseWorld) -> None:
        [born] = await ingest(world, a_reading("p-1"))

        nobody_else = await world.projections.claim(10, LEASE)
        settled = await world.projections.settle([(born, Published())])

        assert born.attempt == 1
        assert nobody_else == []
        assert settled == 1

    async def test_what_its_writer_left_lying_falls_due(self, world: DatabaseWorld) -> None:
        [born] = await ingest(world, a_reading("p-1"))
        await world.let_pass(LEASE)

        [claim] = await world.projections.claim(10, LEASE)

        assert (claim.version, claim.fingerprint, claim.attempt) == (1, born.fingerprint, 2)
        assert claim.lease != born.lease
        assert parse_document(claim.document) == parse_document(born.document)

    @pytest.mark.parametrize("later", [False, True], ids=["born", "claimed later"])
    async def test_the_fingerprint_can_be_told_from_the_document(
        self, world: DatabaseWorld, later: bool
    ) -> None:
        [claim] = await ingest(world, an_alarming_reading("p-1"))
        if later:
            await world.let_pass(LEASE)
            [claim] = await world.projections.claim(10, LEASE)

        recomputed = fingerprint(canonical_json(parse_document(claim.document)))

        assert claim.fingerprint == recomputed

    async def test_a_newer_version_takes_the_older_ones_lease_away(
        self, world: DatabaseWorld
    ) -> None:
        [older] = await ingest(world, a_reading("p-1", NOW_MS))
        [newer] = await ingest(world, a_reading("p-1", NOW_MS + MINUTE_MS))

        settled = [await world.projections.settle([(c, Published())]) for c in (older, newer)]

        assert (older.version, newer.version) == (1, 2)
        assert settled == [0, 1]

    async def test_the_most_urgent_patient_is_claimed_first(self, world: DatabaseWorld) -> None:
        await ingest(world, a_reading("well"), an_alarming_reading("ill"), a_reading("well-too"))
        await world.let_pass(LEASE)

        [first] = await world.projections.claim(1, LEASE)

        assert first.subject == "ill"

    async def test_a_duplicate_owes_nothing(self, world: DatabaseWorld) -> None:
        [claim] = await ingest(world, a_reading("p-1"))
        await world.projections.settle([(claim, Published())])

        again = await ingest(world, a_reading("p-1"))
        await world.let_pass(LEASE)

        assert again == []
        assert await world.projections.claim(10, LEASE) == []


class TestCommit:
    async def test_leaving_without_commit_leaves_no_trace(self, world: DatabaseWorld) -> None:
        async with world.begin() as work:
            await take_in(work, [an_alarming_reading("p-1", encounter="e-1")])

        await world.let_pass(LEASE)
        assert await world.projections.claim(10, LEASE) == []
        assert isinstance((await record(world, an_alarming_reading("p-1")))[0], New)
        [chart] = await charts_for(world, a_reading("p-1"))
        assert chart.snapshot.version == 1
        assert await ingest(world, a_reading("p-2", encounter="e-1")) != []

    async def test_an_error_on_the_way_leaves_no_trace(self, world: DatabaseWorld) -> None:
        async def stumble() -> None:
            async with world.begin() as work:
                await take_in(work, [a_reading("p-1")])
                raise LookupError

        with pytest.raises(LookupError):
            await stumble()

        assert isinstance((await record(world, a_reading("p-1")))[0], New)

    async def test_nobody_sees_what_is_not_committed_yet(self, world: DatabaseWorld) -> None:
        async with world.begin() as work:
            await take_in(work, [a_reading("p-1")])
            await world.let_pass(LEASE)
            claims = await world.projections.claim(10, LEASE)

        assert claims == []

    async def test_patients_of_other_units_are_left_alone(self, world: DatabaseWorld) -> None:
        [one] = await ingest(world, a_reading("p-1"))

        [other] = await ingest(world, a_reading("p-2"))

        assert (one.version, other.version) == (1, 1)
        assert await world.projections.settle([(one, Published()), (other, Published())]) == 2
