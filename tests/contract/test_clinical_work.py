"""What clinicians' actions and keeping watch may rely on, whoever keeps the charts."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from tests.support import LEASE, MINUTE_MS
from tests.worlds import DatabaseWorld, PostgresWorld, a_reading, an_alarming_reading
from vitalrelay.domain.actions import Acknowledge, Action, Mute, ResolveReview
from vitalrelay.domain.audit import Signature
from vitalrelay.domain.chart import Chart, fold_all
from vitalrelay.domain.document import Document, parse_document
from vitalrelay.domain.errors import KeyReused, NotPossible
from vitalrelay.domain.idempotency import ActionKey
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Packet, SubjectId
from vitalrelay.domain.projection import Claim
from vitalrelay.domain.receipt import New
from vitalrelay.domain.watch import look

NUMBERS = itertools.count(1)
BY_NURSE = Signature(actor_ref="nurse-7", actor_role="clinician")
A_MINUTE, A_QUARTER, A_DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)
KEY = ActionKey("key-1", "sha256:a")


@pytest.fixture(params=["memory_world", "postgres_world"])
def world(request: pytest.FixtureRequest) -> DatabaseWorld:
    return request.getfixturevalue(request.param)


async def ingest(world: DatabaseWorld, *packets: Packet) -> list[Claim]:
    async with world.begin() as work:
        new = [answer.received for answer in await work.record(packets) if isinstance(answer, New)]
        charts = fold_all(await work.lock(new), new, News2(), world.policy)
        await work.file(charts)
        claims = await work.owe(charts, LEASE)
        await work.commit()
    return claims


async def hear(world: DatabaseWorld, *subjects: str) -> None:
    """Of each of them, live."""
    at_ms = await world.now_ms()
    await ingest(world, *(a_reading(one, at_ms, sequence=next(NUMBERS)) for one in subjects))


async def alarm(world: DatabaseWorld, subject: str = "p-1", **more: str) -> None:
    at_ms = await world.now_ms()
    await ingest(world, an_alarming_reading(subject, at_ms, sequence=next(NUMBERS), **more))


async def act(world: DatabaseWorld, action: Action, subject: str = "p-1") -> list[Claim]:
    async with world.begin() as work:
        chart = await work.lock_patient(SubjectId(subject))
        action.on(chart, BY_NURSE, world.policy)
        await work.file([chart])
        claims = await work.owe([chart], LEASE)
        await work.commit()
    return claims


async def chart_of(world: DatabaseWorld, subject: str = "p-1") -> Chart:
    async with world.begin() as work:
        return await work.lock_patient(SubjectId(subject))


async def due(world: DatabaseWorld, limit: int = 100) -> list[Chart]:
    async with world.begin() as work:
        return await work.lock_due(limit)


async def keep_watch(world: DatabaseWorld) -> list[Claim]:
    """Look at everybody whose time has come, as the use case does."""
    async with world.begin() as work:
        charts = await work.lock_due(100)
        for chart in charts:
            look(chart, world.policy)
        changed = [chart for chart in charts if chart.changed]
        await work.file(changed)
        claims = await work.owe(changed, LEASE)
        await work.look_again([chart for chart in charts if not chart.changed])
        await work.commit()
    return claims


async def answer(world: DatabaseWorld, key: ActionKey, document: Document) -> None:
    async with world.begin() as work:
        assert await work.answered(key) is None
        await work.answer(key, document)
        await work.commit()


async def answered(world: DatabaseWorld, key: ActionKey) -> Document | None:
    async with world.begin() as work:
        return await work.answered(key)


async def patient_of(world: DatabaseWorld, about: str) -> SubjectId | None:
    async with world.begin() as work:
        return await work.patient_of(about)


ANSWER = {
    "outcome": "done",
    "about": "p-1:vital-red:spo2",
    "thing": {"mutedUntilMs": 1_767_225_600_000, "acknowledgedBy": None, "known": ["spo2"]},
    "reason": 'gesehen, 확인 \u2028 \\ "',
}


class TestAnswered:
    async def test_an_action_never_seen_before_has_no_answer(self, world: DatabaseWorld) -> None:
        assert await answered(world, KEY) is None

    async def test_an_action_that_comes_again_finds_its_answer_as_it_was(
        self, world: DatabaseWorld
    ) -> None:
        await answer(world, KEY, ANSWER)

        assert await answered(world, KEY) == ANSWER

    async def test_another_key_is_another_action(self, world: DatabaseWorld) -> None:
        await answer(world, KEY, ANSWER)

        assert await answered(world, ActionKey("key-2", KEY.request)) is None

    async def test_another_request_under_this_key_is_refused(self, world: DatabaseWorld) -> None:
        await answer(world, KEY, ANSWER)

        with pytest.raises(KeyReused):
            await answered(world, ActionKey(KEY.digest, "sha256:b"))

        assert await answered(world, KEY) == ANSWER

    async def test_an_action_that_was_given_up_leaves_its_key_to_the_next(
        self, world: DatabaseWorld
    ) -> None:
        async with world.begin() as work:
            await work.answered(KEY)
            await work.answer(KEY, ANSWER)

        assert await answered(world, ActionKey(KEY.digest, "sha256:b")) is None

    async def test_of_many_at_once_one_acts_and_the_others_wait_for_its_answer(
        self, world: DatabaseWorld
    ) -> None:
        async def once(number: int) -> tuple[bool, Document]:
            async with world.begin() as work:
                before = await work.answered(KEY)
                if before is not None:
                    return False, before
                await work.answer(KEY, {"number": number})
                await work.commit()
                return True, {"number": number}

        told = await asyncio.gather(*(once(number) for number in range(8)))

        [acted] = [document for did, document in told if did]
        assert [document for _, document in told] == [acted] * 8

    async def test_whoever_waited_for_one_that_gave_up_acts_in_its_place(
        self, world: DatabaseWorld
    ) -> None:
        async def perhaps(number: int) -> bool:
            async with world.begin() as work:
                if await work.answered(KEY) is not None:
                    return False
                if number % 2:
                    return False
                await work.answer(KEY, {"number": number})
                await work.commit()
                return True

        acted = await asyncio.gather(*(perhaps(number) for number in (1, 3, 5, 2, 4)))

        assert acted.count(True) == 1
        assert await answered(world, KEY) in ({"number": 2}, {"number": 4})


class TestForgetAnswers:
    async def test_what_is_young_is_kept(self, world: DatabaseWorld) -> None:
        await answer(world, KEY, ANSWER)
        await world.let_pass(A_MINUTE)

        async with world.begin() as work:
            forgotten = await work.forget_answers(A_QUARTER)
            await work.commit()

        assert forgotten == 0
        assert await answered(world, KEY) == ANSWER

    async def test_what_is_old_may_be_acted_upon_anew(self, postgres_world: PostgresWorld) -> None:
        """Nothing in memory grows old."""
        world = postgres_world
        await answer(world, KEY, ANSWER)
        await world.let_pass(A_DAY)
        await answer(world, ActionKey("key-2", "sha256:b"), ANSWER)

        async with world.begin() as work:
            forgotten = [await work.forget_answers(A_QUARTER) for _ in range(2)]
            await work.commit()

        assert forgotten == [1, 0]
        assert await answered(world, KEY) is None


class TestPatientOf:
    async def test_an_alarm_leads_to_its_patient(self, world: DatabaseWorld) -> None:
        await alarm(world, "p-1")
        await alarm(world, "p-2")

        found = [await patient_of(world, f"p-{n}:news2-high") for n in (1, 2)]

        assert found == ["p-1", "p-2"]

    async def test_a_review_item_leads_to_its_patient(self, world: DatabaseWorld) -> None:
        await alarm(world, "p-1", encounter="e-1")

        assert await patient_of(world, "review:e-1") == "p-1"

    @pytest.mark.parametrize(
        "about", ["p-1:news2-medium", "p-9:news2-high", "p-1", "", "review:p-9", "news2-high"]
    )
    async def test_what_never_was_leads_to_nobody(self, world: DatabaseWorld, about: str) -> None:
        await alarm(world, "p-1", encounter="e-1")

        assert await patient_of(world, about) is None

    async def test_what_is_over_still_has_a_patient(self, world: DatabaseWorld) -> None:
        await alarm(world, "p-1", encounter="e-1")
        await world.let_pass(A_MINUTE)
        at_ms = await world.now_ms() + 1
        await ingest(world, a_reading("p-1", at_ms, encounter="e-2"))

        found = [await patient_of(world, about) for about in ("p-1:news2-high", "review:e-1")]

        assert found == ["p-1", "p-1"]
        assert (await chart_of(world)).snapshot.alarms == ()


class TestLockPatient:
    async def test_a_chart_goes_on_where_the_last_unit_left_it(self, world: DatabaseWorld) -> None:
        await alarm(world)
        await act(world, Acknowledge(about="p-1:news2-high", reason="seen"))

        chart = await chart_of(world)

        assert chart.snapshot.version == 3
        seen = {alarm.name: alarm.acknowledged_by for alarm in chart.snapshot.alarms}
        assert seen["news2-high"] == "nurse-7"
        assert not chart.changed

    async def test_it_knows_what_time_it_is(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        before = await world.now_ms()

        chart = await chart_of(world)

        assert before <= chart.now_ms <= await world.now_ms()

    async def test_it_knows_when_the_patient_was_heard_and_how_often(
        self, world: DatabaseWorld
    ) -> None:
        for _ in range(3):
            await hear(world, "p-1")
            await world.let_pass(A_MINUTE)

        chart = await chart_of(world)

        assert chart.hearing.cadence_ms == pytest.approx(MINUTE_MS, abs=5_000)
        assert chart.now_ms - chart.hearing.heard_ms == pytest.approx(MINUTE_MS, abs=5_000)

    async def test_an_action_is_no_hearing(self, world: DatabaseWorld) -> None:
        await alarm(world)
        before = (await chart_of(world)).hearing

        await act(world, Acknowledge(about="p-1:news2-high", reason="seen"))

        assert (await chart_of(world)).hearing == before

    async def test_who_was_never_heard_live_is_not_listened_for(self, world: DatabaseWorld) -> None:
        month_ago = await world.now_ms() - 30 * 24 * 60 * MINUTE_MS
        await ingest(world, a_reading("p-1", month_ago))

        chart = await chart_of(world)

        assert (chart.hearing.heard_ms, chart.hearing.cadence_ms) == (None, None)

    async def test_actions_and_packets_take_turns_and_none_is_lost(
        self, world: DatabaseWorld
    ) -> None:
        await alarm(world)
        names = ("news2-high", "vital-red:spo2", "vital-red:heart_rate")
        actions = [Acknowledge(about=f"p-1:{name}", reason="seen") for name in names]

        await asyncio.gather(
            *(act(world, action) for action in actions), *(alarm(world) for _ in range(5))
        )

        chart = await chart_of(world)
        seen = {alarm.name for alarm in chart.snapshot.alarms if alarm.acknowledged_by}
        assert seen == set(names)
        assert chart.snapshot.version == 1 + 3 + 5 + 1

    async def test_what_was_refused_leaves_no_trace(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")

        with pytest.raises(NotPossible):
            await act(world, Mute(about="p-1:news2-high", reason="quiet", for_ms=1))

        assert (await chart_of(world)).snapshot.version == 2

    async def test_a_review_item_stays_resolved(self, world: DatabaseWorld) -> None:
        await alarm(world)
        await act(world, ResolveReview(about="review:p-1", note="fluids given"))
        await alarm(world)

        item = (await chart_of(world)).snapshot.review

        assert (item.state, item.resolved_by) == ("resolved", "nurse-7")


class TestLockDue:
    async def test_nobody_is_due_who_is_heard(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1", "p-2")

        assert await due(world) == []

    async def test_whoever_is_silent_is_due(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER - A_MINUTE)
        await hear(world, "p-2")
        too_early = await due(world)
        await world.let_pass(A_MINUTE)

        [chart] = await due(world)

        assert too_early == []
        assert (chart.subject, chart.snapshot.version) == ("p-1", 2)
        assert chart.now_ms - chart.hearing.heard_ms >= 15 * MINUTE_MS

    async def test_the_longest_overdue_come_first(self, world: DatabaseWorld) -> None:
        for subject in ("p-2", "p-3", "p-1"):
            await hear(world, subject)
            await world.let_pass(A_MINUTE)
        await world.let_pass(A_QUARTER)

        two, everybody = await due(world, 2), await due(world)

        assert [chart.subject for chart in two] == ["p-2", "p-3"]
        assert [chart.subject for chart in everybody] == ["p-2", "p-3", "p-1"]

    async def test_nobody_is_due_whose_data_are_old(self, world: DatabaseWorld) -> None:
        month_ago = await world.now_ms() - 30 * 24 * 60 * MINUTE_MS
        await ingest(world, *(an_alarming_reading(f"p-{n}", month_ago + n) for n in range(20)))

        await world.let_pass(A_DAY)

        assert await due(world) == []

    async def test_what_was_noticed_is_kept_and_owed(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER)

        [claim] = await keep_watch(world)

        [alarm] = parse_document(claim.document)["alarms"]
        assert (claim.version, alarm["condition"], alarm["state"]) == (2, "no-data", "active")
        assert await patient_of(world, "p-1:no-data") == "p-1"
        assert await due(world) == []

    async def test_what_was_noticed_and_not_committed_is_noticed_again(
        self, world: DatabaseWorld
    ) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER)

        async with world.begin() as work:
            [chart] = await work.lock_due(100)
            look(chart, world.policy)
            await work.file([chart])
            await work.owe([chart], LEASE)

        [again] = await due(world)
        assert (again.snapshot.version, again.snapshot.alarms) == (2, ())

    async def test_after_a_day_nobody_is_due_any_more(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER)
        await keep_watch(world)
        await world.let_pass(A_DAY)

        [claim] = await keep_watch(world)
        await world.let_pass(A_DAY)

        assert parse_document(claim.document)["monitored"] is False
        assert await due(world) == []

    async def test_whoever_is_heard_again_is_listened_for_again(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_DAY)
        await keep_watch(world)

        await hear(world, "p-1")
        await world.let_pass(A_DAY)

        assert [chart.subject for chart in await due(world)] == ["p-1"]

    async def test_a_mute_is_due_when_it_ends(self, world: DatabaseWorld) -> None:
        await alarm(world)
        await act(world, Mute(about="p-1:news2-high", reason="quiet", for_ms=MINUTE_MS))
        too_early = await due(world)
        await world.let_pass(A_MINUTE)

        [chart] = await due(world)

        assert too_early == []
        assert chart.subject == "p-1"


class TestLookAgain:
    async def test_who_was_heard_in_the_meantime_is_put_off(self, world: DatabaseWorld) -> None:
        """A look may come too soon; then it finds nothing, and the next one is in time."""
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER - A_MINUTE)
        await hear(world, "p-1")
        await world.let_pass(2 * A_MINUTE)

        claims = await keep_watch(world)

        assert claims == []
        assert await due(world) == []
        await world.let_pass(A_DAY)
        assert [chart.subject for chart in await due(world)] == ["p-1"]

    async def test_it_is_no_new_version(self, world: DatabaseWorld) -> None:
        await hear(world, "p-1")
        await world.let_pass(A_QUARTER)

        async with world.begin() as work:
            charts = await work.lock_due(100)
            await work.look_again(charts)
            await work.commit()

        assert (await chart_of(world)).snapshot.version == 2


class TestInSomebodysHand:
    async def test_whoever_holds_a_chart_is_not_waited_for(
        self, postgres_world: PostgresWorld
    ) -> None:
        world = postgres_world
        await hear(world, "p-1", "p-2")
        await world.let_pass(A_QUARTER)

        async with world.begin() as work, asyncio.timeout(10):
            await work.lock_patient(SubjectId("p-1"))
            meanwhile = await due(world)
        afterwards = await due(world)

        assert [chart.subject for chart in meanwhile] == ["p-2"]
        assert sorted(chart.subject for chart in afterwards) == ["p-1", "p-2"]

    async def test_two_watchers_never_look_at_one_patient_together(
        self, postgres_world: PostgresWorld
    ) -> None:
        world = postgres_world
        await hear(world, *(f"p-{n}" for n in range(20)))
        await world.let_pass(A_QUARTER)

        claims = await asyncio.gather(*(keep_watch(world) for _ in range(5)))
        claims.append(await keep_watch(world))

        subjects = [claim.subject for some in claims for claim in some]
        assert sorted(subjects) == sorted(f"p-{n}" for n in range(20))

    async def test_a_watcher_and_a_packet_never_wait_both_ways(
        self, postgres_world: PostgresWorld
    ) -> None:
        world = postgres_world
        subjects = [f"p-{n}" for n in range(10)]
        await hear(world, *subjects)
        await world.let_pass(A_QUARTER)

        async with asyncio.timeout(60):
            for _ in range(5):
                await asyncio.gather(
                    *(hear(world, *reversed(subjects)) for _ in range(4)),
                    *(keep_watch(world) for _ in range(2)),
                )
                await world.let_pass(A_QUARTER)

        versions = [(await chart_of(world, subject)).snapshot.version for subject in subjects]
        assert min(versions) > 20
