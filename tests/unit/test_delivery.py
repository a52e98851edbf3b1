"""Publishing beside the answers, and settling later, on a clock that only moves when all wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.clock import run
from tests.support import SECOND, a_claim
from vitalrelay.adapters.inbound.delivery import Delivery
from vitalrelay.domain.errors import StorageUnavailable
from vitalrelay.domain.projection import Claim, Judged, Landed, Published, RelayReport

MOMENT = timedelta(milliseconds=100)
TOOK_S = 0.01


@dataclass
class Story:
    """Each half takes ten milliseconds; what it was given, when, in order."""

    settle_takes_s: float = TOOK_S
    publish_fails: list[Exception] = field(default_factory=list)
    settle_fails: list[Exception] = field(default_factory=list)
    published: list[list[tuple[str, int]]] = field(default_factory=list)
    published_s: list[float] = field(default_factory=list)
    settled: list[list[tuple[str, int]]] = field(default_factory=list)
    settled_s: list[float] = field(default_factory=list)

    async def publish(self, claims: Sequence[Claim]) -> list[Judged]:
        self.published.append(named(claims))
        self.published_s.append(now_s())
        await asyncio.sleep(TOOK_S)
        if self.publish_fails:
            raise self.publish_fails.pop(0)
        return [Judged(claim, Landed.WRITTEN, Published()) for claim in claims]

    async def settle(self, judged: Sequence[Judged]) -> RelayReport:
        self.settled.append(named([one.claim for one in judged]))
        self.settled_s.append(now_s())
        await asyncio.sleep(self.settle_takes_s)
        if self.settle_fails:
            raise self.settle_fails.pop(0)
        return RelayReport.of(judged, len(judged))


@dataclass
class Log:
    published_counts: list[int] = field(default_factory=list)
    settled_counts: list[int] = field(default_factory=list)

    def published(self, judged: Sequence[Judged], took_s: float) -> None:
        assert took_s >= TOOK_S
        self.published_counts.append(len(judged))

    def settled(self, report: RelayReport) -> None:
        self.settled_counts.append(report.published)


def now_s() -> float:
    return round(asyncio.get_running_loop().time(), 3)


def named(claims: Sequence[Claim]) -> list[tuple[str, int]]:
    return [(claim.subject, claim.version) for claim in claims]


def opened(story: Story, *, batch_size: int = 100, log: Log | None = None) -> Delivery:
    return Delivery(story, log or Log(), batch_size, MOMENT)


def test_it_is_published_at_once_and_settled_together_a_moment_later() -> None:
    story, log = Story(), Log()

    async def told() -> None:
        delivery = opened(story, log=log)
        for number in range(3):
            delivery.deliver([a_claim(f"p-{number}")])
            await asyncio.sleep(2 * TOOK_S)
        await asyncio.sleep(1)
        await delivery.close()

    run(told)

    assert story.published == [[("p-0", 1)], [("p-1", 1)], [("p-2", 1)]]
    assert story.published_s == [0, 0.02, 0.04]
    assert story.settled == [[("p-0", 1), ("p-1", 1), ("p-2", 1)]]
    assert story.settled_s == [TOOK_S + MOMENT.total_seconds()]
    assert (log.published_counts, log.settled_counts) == ([1, 1, 1], [3])


def test_who_was_published_again_meanwhile_is_settled_once_at_the_newest() -> None:
    story = Story()

    async def told() -> None:
        delivery = opened(story)
        for version in (1, 2, 3):
            delivery.deliver([a_claim("p-1", version=version)])
            await asyncio.sleep(2 * TOOK_S)
        await delivery.close()

    run(told)

    assert story.published == [[("p-1", 1)], [("p-1", 2)], [("p-1", 3)]]
    assert story.settled == [[("p-1", 3)]]


def test_an_older_version_that_comes_late_does_not_take_the_newer_ones_place() -> None:
    story = Story()

    async def told() -> None:
        delivery = opened(story)
        for version in (3, 2):
            delivery.deliver([a_claim("p-1", version=version)])
            await asyncio.sleep(2 * TOOK_S)
        await delivery.close()

    run(told)

    assert story.published == [[("p-1", 3)], [("p-1", 2)]]
    assert story.settled == [[("p-1", 3)]]


def test_of_what_waits_only_the_newest_version_is_published() -> None:
    story = Story()

    async def told() -> None:
        delivery = opened(story)
        delivery.deliver([a_claim("p-1", version=2)])
        delivery.deliver([a_claim("p-1", version=3), a_claim("p-2")])
        delivery.deliver([a_claim("p-1", version=1)])
        await delivery.close()

    run(told)

    assert story.published == [[("p-1", 3), ("p-2", 1)]]


def test_a_full_batch_is_settled_without_waiting() -> None:
    story = Story()

    async def told() -> None:
        delivery = opened(story, batch_size=2)
        delivery.deliver([a_claim(f"p-{number}") for number in range(5)])
        await asyncio.sleep(1)
        await delivery.close()

    run(told)

    assert [len(some) for some in story.published] == [2, 2, 1]
    assert [len(some) for some in story.settled] == [2, 2, 1]
    assert story.settled_s[:2] == [0.01, 0.02]


def test_as_soon_as_the_batch_is_full_nothing_waits_any_longer() -> None:
    story = Story()

    async def told() -> None:
        delivery = opened(story, batch_size=2)
        for number in range(2):
            delivery.deliver([a_claim(f"p-{number}")])
            await asyncio.sleep(2 * TOOK_S)
        await delivery.close()

    run(told)

    assert story.settled == [[("p-0", 1), ("p-1", 1)]]
    assert story.settled_s == [0.03]


def test_nobody_waits_for_a_settlement_to_be_published() -> None:
    story = Story(settle_takes_s=10)

    async def told() -> None:
        delivery = opened(story)
        for number in range(4):
            delivery.deliver([a_claim(f"p-{number}")])
            await asyncio.sleep(1)
        await delivery.close()

    run(told)

    assert story.published_s == [0, 1, 2, 3]
    assert story.settled == [[("p-0", 1)], [("p-1", 1), ("p-2", 1), ("p-3", 1)]]


def test_the_end_leaves_nothing_unpublished_and_nothing_unsettled() -> None:
    story = Story()

    async def told() -> float:
        delivery = Delivery(story, Log(), 2, settle_after=100 * SECOND)
        delivery.deliver([a_claim(f"p-{number}") for number in range(5)])
        await delivery.close()
        return now_s()

    ended_s = run(told)

    assert sum(len(some) for some in story.published) == 5
    assert sorted(who for some in story.settled for who, _ in some) == [f"p-{n}" for n in range(5)]
    assert ended_s < 1


def test_an_end_before_anything_came_is_one_too() -> None:
    story = Story()

    async def told() -> None:
        await opened(story).close()

    run(told)

    assert story.published == story.settled == []


def test_what_went_wrong_with_one_batch_does_not_end_it_for_the_next() -> None:
    """What was left lying is leased, and falls due by itself."""
    story = Story(publish_fails=[RuntimeError()], settle_fails=[StorageUnavailable("57P01")])
    log = Log()

    async def told() -> None:
        delivery = opened(story, log=log)
        for number in range(3):
            delivery.deliver([a_claim(f"p-{number}")])
            await asyncio.sleep(1)
        await delivery.close()

    run(told)

    assert [some[0][0] for some in story.published] == ["p-0", "p-1", "p-2"]
    assert [some[0][0] for some in story.settled] == ["p-1", "p-2"]
    assert log.settled_counts == [1]
