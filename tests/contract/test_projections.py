"""What the relay may rely on, whoever keeps what is owed."""

import json
from datetime import timedelta

import pytest

from tests.support import LEASE
from tests.worlds import DatabaseWorld, told, wanted
from vitalrelay.domain.projection import GiveUp, HandBack, Published, RetryLater

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

NEXT_ATTEMPTS = [
    pytest.param(RetryLater(MINUTE, "no"), [2], id="retry-later"),
    pytest.param(HandBack(MINUTE, "away"), [1], id="hand-back"),
    pytest.param(GiveUp("no"), [], id="give-up"),
    pytest.param(Published(), [], id="published"),
]


@pytest.fixture(params=["memory_world", "postgres_world"])
def world(request: pytest.FixtureRequest) -> DatabaseWorld:
    return request.getfixturevalue(request.param)


async def test_a_claim_carries_what_is_owed(world: DatabaseWorld) -> None:
    snapshot = wanted("p-1", version=7, incarnation=3)
    await world.owe(snapshot)

    [claim] = await world.projections.claim(10, LEASE)

    assert told(claim) == told(snapshot)
    assert json.loads(claim.document) == json.loads(snapshot.document)
    assert claim.attempt == 1


async def test_nothing_is_claimed_where_nothing_is_owed(world: DatabaseWorld) -> None:
    claims = await world.projections.claim(10, LEASE)

    assert claims == []


async def test_nobody_else_gets_it_until_the_lease_lapses(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    await world.projections.claim(10, LEASE)

    too_early = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)
    in_time = await world.projections.claim(10, LEASE)

    assert too_early == []
    assert [claim.subject for claim in in_time] == ["p-1"]


async def test_each_claim_has_a_lease_of_its_own(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    [first] = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)

    [second] = await world.projections.claim(10, LEASE)

    assert first.lease != second.lease


async def test_a_lapsed_lease_has_cost_an_attempt(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))

    attempts = []
    for _ in range(3):
        attempts += [claim.attempt for claim in await world.projections.claim(10, LEASE)]
        await world.let_pass(LEASE)

    assert attempts == [1, 2, 3]


async def test_no_more_is_claimed_than_was_asked_for(world: DatabaseWorld) -> None:
    for number in range(5):
        await world.owe(wanted(f"p-{number}"))

    sizes = [len(await world.projections.claim(2, LEASE)) for _ in range(4)]

    assert sizes == [2, 2, 1, 0]


async def test_the_most_urgent_is_claimed_first_then_the_longest_overdue(
    world: DatabaseWorld,
) -> None:
    await world.owe(wanted("low"), urgency=0)
    await world.let_pass(MINUTE)
    await world.owe(wanted("high-and-waiting"), urgency=4)
    await world.let_pass(MINUTE)
    await world.owe(wanted("medium"), urgency=3)
    await world.owe(wanted("high"), urgency=4)

    order = []
    while claims := await world.projections.claim(1, LEASE):
        order += [claim.subject for claim in claims]

    assert order == ["high-and-waiting", "high", "medium", "low"]


@pytest.mark.parametrize(("verdict", "attempts"), NEXT_ATTEMPTS)
async def test_what_is_due_next_follows_from_the_verdict(world, verdict, attempts) -> None:
    await world.owe(wanted("p-1"))
    [claim] = await world.projections.claim(10, LEASE)
    await world.projections.settle([(claim, verdict)])

    too_early = await world.projections.claim(10, LEASE)
    await world.let_pass(MINUTE)
    due = await world.projections.claim(10, LEASE)

    assert too_early == []
    assert [claim.attempt for claim in due] == attempts


@pytest.mark.parametrize("verdict", [Published(), GiveUp("no")], ids=["published", "given up"])
async def test_what_is_over_never_falls_due_again(world, verdict) -> None:
    await world.owe(wanted("p-1"))
    [claim] = await world.projections.claim(10, LEASE)
    await world.projections.settle([(claim, verdict)])

    await world.let_pass(DAY)

    assert await world.projections.claim(10, LEASE) == []


async def test_a_newer_version_replaces_one_that_was_given_up(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1", version=1))
    [claim] = await world.projections.claim(10, LEASE)
    await world.projections.settle([(claim, GiveUp("no"))])

    await world.owe(wanted("p-1", version=2))
    [again] = await world.projections.claim(10, LEASE)

    assert (again.version, again.attempt) == (2, 1)


async def test_only_the_last_to_claim_can_settle(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    [slow] = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)
    [quick] = await world.projections.claim(10, LEASE)

    settled = [await world.projections.settle([(claim, Published())]) for claim in (slow, quick)]

    assert settled == [0, 1]


async def test_a_late_loser_cannot_fail_what_was_published(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    [slow] = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)
    [quick] = await world.projections.claim(10, LEASE)
    await world.projections.settle([(quick, Published())])

    settled = await world.projections.settle([(slow, RetryLater(MINUTE, "no"))])
    await world.let_pass(DAY)

    assert settled == 0
    assert await world.projections.claim(10, LEASE) == []


async def test_a_lapsed_lease_that_nobody_took_over_can_still_settle(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    [claim] = await world.projections.claim(10, LEASE)
    await world.let_pass(LEASE)

    settled = await world.projections.settle([(claim, Published())])

    assert settled == 1
    assert await world.projections.claim(10, LEASE) == []


async def test_what_was_owed_anew_is_still_owed_after_the_old_version_is_settled(
    world: DatabaseWorld,
) -> None:
    await world.owe(wanted("p-1", version=1))
    [old] = await world.projections.claim(10, LEASE)
    await world.owe(wanted("p-1", version=2))

    settled = await world.projections.settle([(old, Published())])
    owed = await world.projections.claim(10, LEASE)

    assert settled == 0
    assert [claim.version for claim in owed] == [2]


async def test_a_claim_settles_once(world: DatabaseWorld) -> None:
    await world.owe(wanted("p-1"))
    [claim] = await world.projections.claim(10, LEASE)

    settled = [await world.projections.settle([(claim, Published())]) for _ in range(2)]

    assert settled == [1, 0]


async def test_each_claim_of_a_batch_is_settled_by_its_own_verdict(world: DatabaseWorld) -> None:
    verdicts = {
        "p-lost": Published(),
        "p-published": Published(),
        "p-given-up": GiveUp("no"),
        "p-handed-back": HandBack(MINUTE, "away"),
        "p-retried": RetryLater(MINUTE, "no"),
    }
    for subject in verdicts:
        await world.owe(wanted(subject))
    claims = await world.projections.claim(10, LEASE)
    await world.owe(wanted("p-lost", version=2))

    settled = await world.projections.settle([(claim, verdicts[claim.subject]) for claim in claims])
    await world.let_pass(MINUTE)
    due = await world.projections.claim(10, LEASE)

    assert settled == 4
    assert {(claim.subject, claim.version, claim.attempt) for claim in due} == {
        ("p-lost", 2, 1),
        ("p-handed-back", 1, 1),
        ("p-retried", 1, 2),
    }


async def test_settling_nothing_settles_nothing(world: DatabaseWorld) -> None:
    settled = await world.projections.settle([])

    assert settled == 0
