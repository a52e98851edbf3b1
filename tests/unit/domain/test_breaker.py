"""The breaker, with a clock that is moved by hand."""

from datetime import timedelta

import pytest

from vitalrelay.domain.breaker import Breaker, BreakerState
from vitalrelay.domain.projection import Landed, Refused, Unreachable

PAUSE = timedelta(seconds=5)
AWAY, THERE = Unreachable("timeout"), Landed.WRITTEN


class Clock:
    """A clock of ten lines."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock) -> Breaker:
    return Breaker(PAUSE, clock)


@pytest.fixture
def opened(breaker) -> Breaker:
    breaker.learn([AWAY])
    return breaker


def test_closed_everybody_may_try(breaker):
    asked = [breaker.lets_through() for _ in range(3)]

    assert asked == [True, True, True]
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([THERE], BreakerState.CLOSED),
        ([Refused("too large")], BreakerState.CLOSED),
        ([*Landed], BreakerState.CLOSED),
        ([AWAY], BreakerState.OPEN),
        ([THERE, AWAY, THERE], BreakerState.OPEN),
    ],
)
def test_one_unreachable_is_enough_to_open_and_nothing_else_opens(breaker, outcomes, state):
    breaker.learn(outcomes)

    assert breaker.state is state


def test_open_nobody_may_try_until_the_pause_is_over(opened, clock):
    at_once = opened.lets_through()
    clock.now += PAUSE.total_seconds() - 0.001
    just_before = opened.lets_through()

    assert (at_once, just_before) == (False, False)
    assert opened.state is BreakerState.OPEN


def test_half_open_one_batch_may_try(opened, clock):
    clock.now += PAUSE.total_seconds()

    asked = [opened.lets_through() for _ in range(3)]

    assert asked == [True, False, False]
    assert opened.state is BreakerState.HALF_OPEN


def test_a_probe_that_never_answers_is_followed_by_another_after_a_pause(opened, clock):
    clock.now += PAUSE.total_seconds()
    first = opened.lets_through()

    clock.now += PAUSE.total_seconds()
    second = [opened.lets_through() for _ in range(2)]

    assert (first, second) == (True, [True, False])


def test_an_answer_to_the_probe_closes(opened, clock):
    clock.now += PAUSE.total_seconds()
    opened.lets_through()

    opened.learn([THERE])

    assert opened.state is BreakerState.CLOSED
    assert [opened.lets_through() for _ in range(2)] == [True, True]


def test_a_refusal_is_an_answer_too(opened, clock):
    clock.now += PAUSE.total_seconds()
    opened.lets_through()

    opened.learn([Refused("wrong type")])

    assert opened.state is BreakerState.CLOSED


def test_a_probe_that_finds_nobody_opens_for_a_whole_pause(opened, clock):
    clock.now += PAUSE.total_seconds()
    opened.lets_through()
    clock.now += 3

    opened.learn([AWAY])
    clock.now += PAUSE.total_seconds() - 0.001
    too_early = opened.lets_through()
    clock.now += 0.001
    in_time = opened.lets_through()

    assert (too_early, in_time) == (False, True)


def test_a_second_outage_in_a_row_prolongs_the_pause(opened, clock):
    clock.now += 3
    opened.learn([AWAY])

    clock.now += 3
    too_early = opened.lets_through()

    assert too_early is False


def test_nothing_is_learned_from_no_outcome_at_all(opened):
    opened.learn([])

    assert opened.state is BreakerState.OPEN
