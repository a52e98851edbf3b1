"""What the relay and the screens may rely on, wherever screens read."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from tests.support import MINUTE_MS, NOW_MS
from tests.worlds import ScreenWorld, told, wanted
from vitalrelay.domain.projection import Claim, Landed

A1 = wanted("p-1", 1, "A")
B2 = wanted("p-1", 2, "B")
A3 = wanted("p-1", 3, "A")


def versions_of(claims: Sequence[Claim]) -> str:
    return "".join(str(claim.version) for claim in claims)


@pytest.fixture(params=["memory_screens", "redis_screens"])
def screens(request: pytest.FixtureRequest) -> ScreenWorld:
    return request.getfixturevalue(request.param)


async def test_what_was_not_shown_before_is_written(screens: ScreenWorld) -> None:
    outcomes = await screens.publisher.publish([A1])

    assert outcomes == [Landed.WRITTEN]
    assert await screens.shown("p-1") == told(A1)
    assert await screens.document("p-1") == {"asOfMs": NOW_MS, "shows": "A", "subjectId": "p-1"}
    assert await screens.events() == [told(A1)]


async def test_a_newer_version_replaces_the_older_one(screens: ScreenWorld) -> None:
    await screens.publisher.publish([A1])

    outcomes = await screens.publisher.publish([B2])

    assert outcomes == [Landed.WRITTEN]
    assert await screens.shown("p-1") == told(B2)
    assert await screens.events() == [told(A1), told(B2)]


async def test_the_same_content_moves_the_version_and_is_no_event(screens: ScreenWorld) -> None:
    await screens.publisher.publish([A1])

    outcomes = await screens.publisher.publish([A3])

    assert outcomes == [Landed.UNCHANGED]
    assert await screens.shown("p-1") == told(A3)
    assert await screens.events() == [told(A1)]


async def test_the_same_again_is_a_duplicate(screens: ScreenWorld) -> None:
    await screens.publisher.publish([A1])

    outcomes = await screens.publisher.publish([A1])

    assert outcomes == [Landed.DUPLICATE]
    assert await screens.events() == [told(A1)]


async def test_an_older_version_is_superseded(screens: ScreenWorld) -> None:
    await screens.publisher.publish([B2])

    outcomes = await screens.publisher.publish([A1])

    assert outcomes == [Landed.SUPERSEDED]
    assert await screens.shown("p-1") == told(B2)
    assert await screens.events() == [told(B2)]


async def test_an_older_version_is_superseded_even_with_the_same_content(
    screens: ScreenWorld,
) -> None:
    await screens.publisher.publish([A3])

    outcomes = await screens.publisher.publish([A1])

    assert outcomes == [Landed.SUPERSEDED]
    assert await screens.shown("p-1") == told(A3)


async def test_the_same_version_with_other_content_is_a_conflict_and_overwrites_nothing(
    screens: ScreenWorld,
) -> None:
    await screens.publisher.publish([A1])

    outcomes = await screens.publisher.publish([wanted("p-1", 1, "B")])

    assert outcomes == [Landed.CONFLICT]
    assert await screens.shown("p-1") == told(A1)
    assert await screens.events() == [told(A1)]


async def test_a_newer_incarnation_beats_a_greater_version(screens: ScreenWorld) -> None:
    before, after = wanted("p-1", 9, "A"), wanted("p-1", 2, "B", incarnation=2)

    outcomes = await screens.publisher.publish([before, after, before])

    assert outcomes == [Landed.WRITTEN, Landed.WRITTEN, Landed.SUPERSEDED]
    assert await screens.shown("p-1") == told(after)


async def test_the_same_version_of_an_older_incarnation_is_superseded(
    screens: ScreenWorld,
) -> None:
    await screens.publisher.publish([wanted("p-1", 2, "B", incarnation=2)])

    outcomes = await screens.publisher.publish([wanted("p-1", 2, "A", incarnation=1)])

    assert outcomes == [Landed.SUPERSEDED]


async def test_a_late_version_between_two_of_the_same_content_does_not_win(
    screens: ScreenWorld,
) -> None:
    """A, B, A: the third looks like the first, and the second comes last."""
    outcomes = await screens.publisher.publish([A1, A3, B2])

    assert outcomes == [Landed.WRITTEN, Landed.UNCHANGED, Landed.SUPERSEDED]
    assert await screens.shown("p-1") == told(A3)


@pytest.mark.parametrize("order", [*permutations([A1, B2, A3])], ids=versions_of)
async def test_every_order_ends_with_the_newest_version(screens: ScreenWorld, order) -> None:
    for claim in (*order, *order):
        await screens.publisher.publish([claim])

    versions = [version for _, _, version, _ in await screens.events()]
    assert await screens.shown("p-1") == told(A3)
    assert versions == sorted(set(versions))


async def test_there_is_one_outcome_per_claim_in_their_order(screens: ScreenWorld) -> None:
    await screens.publisher.publish([B2, wanted("p-2"), wanted("p-3")])

    outcomes = await screens.publisher.publish(
        [wanted("p-4"), A1, wanted("p-2"), wanted("p-3", 1, "B"), wanted("p-3", 2)]
    )

    assert outcomes == [
        Landed.WRITTEN,
        Landed.SUPERSEDED,
        Landed.DUPLICATE,
        Landed.CONFLICT,
        Landed.UNCHANGED,
    ]


async def test_events_keep_the_order_of_the_changes(screens: ScreenWorld) -> None:
    claims = [A1, wanted("p-2"), B2, wanted("p-2", 2, "B"), A3]

    await screens.publisher.publish(claims)

    assert await screens.events() == [told(claim) for claim in claims]


async def test_nothing_to_publish_is_no_outcome(screens: ScreenWorld) -> None:
    outcomes = await screens.publisher.publish([])

    assert outcomes == []
    assert await screens.latest() is None


async def test_the_latest_is_whose_snapshot_is_most_recent(screens: ScreenWorld) -> None:
    latest = []
    for claim in [
        wanted("p-1", as_of_ms=NOW_MS + MINUTE_MS),
        wanted("p-late", as_of_ms=NOW_MS),
        wanted("p-2", as_of_ms=NOW_MS + 2 * MINUTE_MS),
        wanted("p-late", 2, as_of_ms=NOW_MS + MINUTE_MS),
    ]:
        await screens.publisher.publish([claim])
        latest.append(await screens.latest())

    assert latest == ["p-1", "p-1", "p-2", "p-2"]


async def test_only_what_is_shown_can_become_the_latest(screens: ScreenWorld) -> None:
    newest = wanted("p-1", 2, as_of_ms=NOW_MS)
    await screens.publisher.publish([newest, wanted("p-2", as_of_ms=NOW_MS + MINUTE_MS)])

    refused = wanted("p-1", 1, "B", as_of_ms=NOW_MS + 2 * MINUTE_MS)
    outcomes = await screens.publisher.publish([refused])

    assert outcomes == [Landed.SUPERSEDED]
    assert await screens.latest() == "p-2"
