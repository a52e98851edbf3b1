"""The second story, told over memory with publishers that do as they are told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.support import LEASE, SECOND, TWICE
from tests.worlds import MemoryScreens, MemoryWorld, told, wanted
from vitalrelay.domain.breaker import Breaker, BreakerState
from vitalrelay.domain.errors import StorageUnavailable
from vitalrelay.domain.projection import (
    Claim,
    Landed,
    Outcome,
    ProjectionStatus,
    Refused,
    RelayReport,
    RetryPolicy,
    Unreachable,
    Verdict,
)
from vitalrelay.ports.projections import Projections, SnapshotPublisher
from vitalrelay.usecases.relay_projections import RelayProjections

AWAY = Unreachable("ConnectionError")
NO = Refused("WRONGTYPE")


@dataclass
class Scripted:
    """Answers every claim with the outcome of its patient, else with the one for everybody."""

    outcome: Outcome = Landed.WRITTEN
    of: dict[str, Outcome] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    async def publish(self, claims: Sequence[Claim]) -> list[Outcome]:
        self.asked.append([claim.subject for claim in claims])
        return [self.of.get(claim.subject, self.outcome) for claim in claims]


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def relay(
    world: MemoryWorld,
    publisher: SnapshotPublisher,
    *,
    projections: Projections | None = None,
    retry: RetryPolicy = TWICE,
    batch_size: int = 10,
) -> RelayProjections:
    return RelayProjections(
        projections=projections or world.projections,
        publisher=publisher,
        breaker=Breaker(retry.outage_pause, clock=lambda: world.database.now_ms / 1000),
        retry=retry,
        batch_size=batch_size,
        lease_for=LEASE,
    )


def state_of(world: MemoryWorld, subject: str = "p-1") -> tuple[str, str]:
    row = world.database.projections[wanted(subject).subject]
    return row.status, row.error


async def test_what_is_due_is_published(world: MemoryWorld) -> None:
    screens = MemoryScreens()
    await world.owe(wanted("p-1", 7))

    report = await relay(world, screens.publisher).run_once()

    assert report == RelayReport(published=1, outcomes=(Landed.WRITTEN,))
    assert await screens.shown("p-1") == told(wanted("p-1", 7))
    assert state_of(world) == (ProjectionStatus.PUBLISHED, "")


async def test_what_was_published_is_not_published_again(world: MemoryWorld) -> None:
    publisher = Scripted()
    await world.owe(wanted("p-1"))
    relaying = relay(world, publisher)

    await relaying.run_once()
    await world.let_pass(timedelta(days=1))
    report = await relaying.run_once()

    assert report == RelayReport()
    assert publisher.asked == [["p-1"]]


async def test_nobody_is_asked_to_publish_nothing(world: MemoryWorld) -> None:
    publisher = Scripted()

    reports = [await relay(world, publisher).run_once(), await relay(world, publisher).deliver([])]

    assert reports == [RelayReport(), RelayReport()]
    assert publisher.asked == []


@pytest.mark.parametrize("outcome", [Landed.WRITTEN, Landed.UNCHANGED, Landed.DUPLICATE])
async def test_whatever_leaves_our_version_there_is_published(world, outcome) -> None:
    await world.owe(wanted("p-1"))

    report = await relay(world, Scripted(outcome)).run_once()

    assert report == RelayReport(published=1, outcomes=(outcome,))
    assert state_of(world) == (ProjectionStatus.PUBLISHED, "")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Landed.SUPERSEDED, "superseded: the store is ahead of the database"),
        (Landed.CONFLICT, "conflict: the store has this version with other content"),
    ],
)
async def test_what_only_a_person_can_judge_is_given_up_at_once(world, outcome, reason) -> None:
    await world.owe(wanted("p-1"))

    report = await relay(world, Scripted(outcome)).run_once()

    assert report == RelayReport(given_up=1, outcomes=(outcome,))
    assert state_of(world) == (ProjectionStatus.FAILED, reason)


async def test_what_is_refused_is_tried_again_after_a_delay_and_then_given_up(
    world: MemoryWorld,
) -> None:
    await world.owe(wanted("p-1"))
    relaying = relay(world, Scripted(NO))

    first = await relaying.run_once()
    too_early = await relaying.run_once()
    await world.let_pass(TWICE.first_delay)
    second = await relaying.run_once()
    await world.let_pass(timedelta(days=1))
    never = await relaying.run_once()

    assert first == RelayReport(retried=1, outcomes=(NO,))
    assert too_early == never == RelayReport()
    assert second == RelayReport(given_up=1, outcomes=(NO,))
    assert state_of(world) == (ProjectionStatus.FAILED, "WRONGTYPE")


async def test_each_delay_is_twice_the_last_up_to_the_longest(world: MemoryWorld) -> None:
    patient = RetryPolicy(
        max_attempts=6, first_delay=SECOND, longest_delay=5 * SECOND, outage_pause=SECOND
    )
    await world.owe(wanted("p-1"))
    relaying = relay(world, Scripted(NO), retry=patient)

    delays = []
    while (await relaying.run_once()).retried:
        due_at = world.database.projections[wanted("p-1").subject].due_at
        assert due_at is not None
        delays.append(due_at - world.database.now)
        await world.let_pass(delays[-1])

    assert delays == [SECOND, 2 * SECOND, 4 * SECOND, 5 * SECOND, 5 * SECOND]


async def test_a_crash_between_claim_and_settle_spends_an_attempt(world: MemoryWorld) -> None:
    await world.owe(wanted("p-1"))
    await world.projections.claim(1, LEASE)  # and never heard of again
    await world.let_pass(LEASE)

    report = await relay(world, Scripted(NO)).run_once()

    assert report == RelayReport(given_up=1, outcomes=(NO,))


async def test_one_refusal_is_not_the_neighbours_matter(world: MemoryWorld) -> None:
    for subject in ("p-1", "p-2", "p-3"):
        await world.owe(wanted(subject))

    report = await relay(world, Scripted(of={"p-2": NO})).run_once()

    assert (report.published, report.retried, report.claimed) == (2, 1, 3)
    assert state_of(world, "p-2") == (ProjectionStatus.FAILED, "WRONGTYPE")
    assert state_of(world, "p-3") == (ProjectionStatus.PUBLISHED, "")


class TestAnOutage:
    async def test_it_spends_no_attempt(self, world: MemoryWorld) -> None:
        await world.owe(wanted("p-1"))

        report = await relay(world, Scripted(AWAY)).run_once()
        await world.let_pass(TWICE.outage_pause)
        [claim] = await world.projections.claim(1, LEASE)

        assert report == RelayReport(handed_back=1, outcomes=(AWAY,))
        assert claim.attempt == 1

    async def test_however_long_it_lasts_nobody_is_given_up(self, world: MemoryWorld) -> None:
        publisher = Scripted(AWAY)
        await world.owe(wanted("p-1"))
        relaying = relay(world, publisher)

        for _ in range(20):
            await relaying.run_once()
            await world.let_pass(TWICE.outage_pause)
        publisher.outcome = Landed.WRITTEN
        report = await relaying.run_once()

        assert len(publisher.asked) == 21
        assert report.published == 1

    async def test_while_the_breaker_is_open_nothing_is_claimed(self, world: MemoryWorld) -> None:
        publisher = Scripted(AWAY)
        await world.owe(wanted("p-1"))
        relaying = relay(world, publisher)
        await relaying.run_once()
        await world.owe(wanted("p-2"))

        report = await relaying.run_once()

        assert report == RelayReport()
        assert publisher.asked == [["p-1"]]
        [claim] = await world.projections.claim(10, LEASE)
        assert (claim.subject, claim.attempt) == ("p-2", 1)

    async def test_what_is_delivered_meanwhile_falls_due_by_itself(
        self, world: MemoryWorld
    ) -> None:
        publisher = Scripted(AWAY)
        await world.owe(wanted("p-1"))
        relaying = relay(world, publisher)
        await relaying.run_once()
        await world.owe(wanted("p-2"))
        born_claimed = await world.projections.claim(10, LEASE)

        report = await relaying.deliver(born_claimed)
        publisher.outcome = Landed.WRITTEN
        await world.let_pass(LEASE)
        later = await relaying.run_once()

        assert report == RelayReport()
        assert later.published == 2

    async def test_after_the_pause_one_batch_finds_out(self, world: MemoryWorld) -> None:
        publisher = Scripted(AWAY)
        for number in range(3):
            await world.owe(wanted(f"p-{number}"))
        relaying = relay(world, publisher, batch_size=1)
        await relaying.run_once()
        await world.let_pass(TWICE.outage_pause)

        reports = [await relaying.run_once() for _ in range(3)]

        assert [report.handed_back for report in reports] == [1, 0, 0]
        assert relaying.breaker.state is BreakerState.OPEN

    async def test_once_the_store_answers_everybody_may_try(self, world: MemoryWorld) -> None:
        publisher = Scripted(AWAY)
        for number in range(3):
            await world.owe(wanted(f"p-{number}"))
        relaying = relay(world, publisher, batch_size=1)
        await relaying.run_once()
        publisher.outcome = Landed.WRITTEN
        await world.let_pass(TWICE.outage_pause)

        reports = [await relaying.run_once() for _ in range(4)]

        assert [report.published for report in reports] == [1, 1, 1, 0]
        assert relaying.breaker.state is BreakerState.CLOSED

    async def test_a_refusal_is_an_answer_too(self, world: MemoryWorld) -> None:
        await world.owe(wanted("p-1"))
        relaying = relay(world, Scripted(NO))

        await relaying.run_once()

        assert relaying.breaker.state is BreakerState.CLOSED

    async def test_half_an_outage_is_one(self, world: MemoryWorld) -> None:
        await world.owe(wanted("p-1"))
        await world.owe(wanted("p-2"))
        relaying = relay(world, Scripted(of={"p-2": AWAY}))

        report = await relaying.run_once()

        assert (report.published, report.handed_back) == (1, 1)
        assert relaying.breaker.state is BreakerState.OPEN


class TestTheReport:
    async def test_a_full_batch_is_worth_repeating(self, world: MemoryWorld) -> None:
        for number in range(5):
            await world.owe(wanted(f"p-{number}"))
        relaying = relay(world, Scripted(), batch_size=2)

        sizes = []
        while (report := await relaying.run_once()).worth_repeating:
            sizes.append(report.claimed)

        assert sizes == [2, 2, 1]

    async def test_an_outage_is_not_worth_repeating(self, world: MemoryWorld) -> None:
        await world.owe(wanted("p-1"))

        report = await relay(world, Scripted(AWAY)).run_once()

        assert not report.worth_repeating

    async def test_what_somebody_else_took_over_is_counted_as_lost(
        self, world: MemoryWorld
    ) -> None:
        await world.owe(wanted("p-1"))
        await world.owe(wanted("p-2"))
        claims = await world.projections.claim(10, LEASE)
        await world.owe(wanted("p-1", 2))

        report = await relay(world, Scripted()).deliver(claims)

        assert (report.published, report.lost) == (2, 1)

    async def test_a_late_version_that_was_superseded_is_only_lost(
        self, world: MemoryWorld
    ) -> None:
        """The row has moved on: nobody gives anything up."""
        screens = MemoryScreens()
        await world.owe(wanted("p-1", 1))
        late = await world.projections.claim(1, LEASE)
        await world.owe(wanted("p-1", 2, "B"))
        relaying = relay(world, screens.publisher)
        await relaying.run_once()

        report = await relaying.deliver(late)

        assert report.outcomes == (Landed.SUPERSEDED,)
        assert report.lost == 1
        assert state_of(world) == (ProjectionStatus.PUBLISHED, "")


@dataclass
class Failing:
    """Keeps what is owed, until it is asked to settle."""

    projections: Projections

    async def claim(self, limit: int, lease_for: timedelta) -> list[Claim]:
        return await self.projections.claim(limit, lease_for)

    async def settle(self, judged: Sequence[tuple[Claim, Verdict]]) -> int:
        raise StorageUnavailable


async def test_what_could_not_be_settled_is_published_again_and_found_there(
    world: MemoryWorld,
) -> None:
    screens = MemoryScreens()
    await world.owe(wanted("p-1"))
    failing = relay(world, screens.publisher, projections=Failing(world.projections))
    with pytest.raises(StorageUnavailable):
        await failing.run_once()
    await world.let_pass(LEASE)

    report = await relay(world, screens.publisher).run_once()

    assert report == RelayReport(published=1, outcomes=(Landed.DUPLICATE,))
    assert await screens.events() == [told(wanted("p-1"))]
