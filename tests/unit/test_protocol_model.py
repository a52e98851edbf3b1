"""
The protocol as a model: every interleaving of a few steps, and what breaks without each rule.

One patient, three versions that show A, B and A again, two workers, and as many faults as a run
allows: crashes, scripts that fail half-way, and losses in Redis, of everything or back to an older
copy. A run goes breadth first through all that can happen and ends at the first broken promise.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

CONTENT = ["", "A", "B", "A"]  # by version; 0 is nothing
NEWEST = 3

NEVER_BACK = "a screen never goes back"
ONE_EVENT = "a version is one event"
NO_LIE = "published means that this version was published"
CONVERGES = "in the end the screen shows the newest version, and its event exists"


class Redis(NamedTuple):
    shown: int = 0
    events: tuple[int, ...] = ()  # versions; of scripts that failed half-way, negative


class Row(NamedTuple):
    version: int = 0
    published: int = 0
    status: str = "published"
    holder: int | None = None  # whose token it has
    due: bool | None = None  # False: later, when a lease lapses or a delay is over; None: never


class Job(NamedTuple):
    version: int
    outcome: str = ""  # of the publish, once there is one


class State(NamedTuple):
    row: Row
    redis: Redis
    jobs: tuple[Job | None, Job | None]
    copies: tuple[Redis, ...]  # to which Redis may fall back
    lost: bool  # the sentinel is gone or older
    crashes: int
    half_failures: int
    losses: int


@dataclass(frozen=True)
class Rules:
    version_before_fingerprint: bool = True
    version_is_compared: bool = True
    event_before_document: bool = True
    settle_compares_token: bool = True
    settle_compares_version: bool = True
    owe_takes_the_token: bool = True
    sentinel: bool = True
    sweep: bool = True


Step = tuple[str, State]


def progress(state: State, rules: Rules) -> Iterator[Step]:
    """What happens by itself, sooner or later."""
    if state.row.version < NEWEST:
        yield from owe(state, rules)
    if state.row.due is False:
        yield "lapse", state._replace(row=state.row._replace(due=True))
    for worker, job in enumerate(state.jobs):
        yield from relay(state, worker, job, rules)
    yield from reconcile(state, rules)


def faults(state: State, rules: Rules) -> Iterator[Step]:
    """What may happen, as often as this run allows."""
    for worker, job in enumerate(state.jobs):
        if job is not None and state.crashes:
            crashed = state._replace(crashes=state.crashes - 1)
            yield f"{worker} crashes", with_job(crashed, worker, None)
        if job is not None and not job.outcome and state.half_failures:
            redis, outcome = publish(state.redis, job.version, rules, half=True)
            failed = state._replace(half_failures=state.half_failures - 1)
            yield f"{worker} fails half-way", published(failed, worker, job, redis, outcome)
    if state.losses:
        for age, copy in enumerate(state.copies):
            fallen = state._replace(redis=copy, copies=state.copies[:age], lost=True)
            yield f"Redis falls back to {copy}", fallen._replace(losses=state.losses - 1)


def owe(state: State, rules: Rules) -> Iterator[Step]:
    """A commit. Born claimed by a worker, or by a process that is never heard of again."""
    owed = state.row._replace(version=state.row.version + 1, status="pending")
    if not rules.owe_takes_the_token:
        yield "commit", state._replace(row=owed._replace(due=True))
        return
    yield "commit", state._replace(row=owed._replace(holder=None, due=False))
    for worker, job in enumerate(state.jobs):
        if job is None:
            born = state._replace(row=owed._replace(holder=worker, due=False))
            yield f"commit by {worker}", with_job(born, worker, Job(owed.version))


def relay(state: State, worker: int, job: Job | None, rules: Rules) -> Iterator[Step]:
    if job is None:
        if state.row.due:
            claimed = state._replace(row=state.row._replace(holder=worker, due=False))
            yield f"{worker} claims", with_job(claimed, worker, Job(state.row.version))
    elif job.outcome:
        yield f"{worker} settles", settle(state, worker, job, rules)
    else:
        redis, outcome = publish(state.redis, job.version, rules)
        yield f"{worker} publishes", published(state, worker, job, redis, outcome)


def reconcile(state: State, rules: Rules) -> Iterator[Step]:
    if rules.sentinel and state.lost:
        yield "rebuild", owed_again(state)._replace(lost=False)
    if rules.sweep and state.row.status == "published" and state.redis.shown != state.row.version:
        yield "sweep", owed_again(state)


def publish(redis: Redis, version: int, rules: Rules, half: bool = False) -> tuple[Redis, str]:
    """The script; half: only the first of its two writes was done."""
    changed = CONTENT[redis.shown] != CONTENT[version]
    if not rules.version_before_fingerprint and not changed:
        return redis, "published"
    if rules.version_is_compared and redis.shown > version:
        return redis, "superseded"
    if redis.shown == version:
        return redis, "published"
    event = (-version if half else version,)
    told = redis._replace(events=redis.events + event if changed else redis.events)
    if not half:
        return told._replace(shown=version), "published"
    return (told if rules.event_before_document else redis._replace(shown=version)), "failed"


def settle(state: State, worker: int, job: Job, rules: Rules) -> State:
    row, after = state.row, with_job(state, worker, None)
    if rules.settle_compares_token and row.holder != worker:
        return after
    if rules.settle_compares_version and row.version != job.version:
        return after
    settled = row._replace(status="failed", holder=None, due=None)
    if job.outcome == "published":
        settled = settled._replace(status="published", published=row.version)
    if job.outcome == "failed":
        settled = settled._replace(due=False)
    return after._replace(row=settled)


def owed_again(state: State) -> State:
    """Only what was published: what is owed already is left to whoever has it in hand."""
    if state.row.status != "published" or not state.row.version:
        return state
    again = Row(state.row.version, published=0, status="pending", holder=None, due=True)
    return state._replace(row=again)


def published(state: State, worker: int, job: Job, redis: Redis, outcome: str) -> State:
    copies = state.copies
    if state.losses and redis != state.redis:
        copies = (*copies, state.redis)
    done = state._replace(redis=redis, copies=copies)
    return with_job(done, worker, job._replace(outcome=outcome))


def with_job(state: State, worker: int, job: Job | None) -> State:
    """A token is told apart by the job it was taken for: it goes when the job goes."""
    row = state.row
    if job is None and row.holder == worker:
        row = row._replace(holder=None)
    jobs = (job, state.jobs[1]) if worker == 0 else (state.jobs[0], job)
    return state._replace(row=row, jobs=jobs)


def broken_by(before: State, after: State) -> str | None:
    fell_back = after.losses < before.losses
    if after.redis.shown < before.redis.shown and not fell_back:
        return NEVER_BACK
    events = [version for version in after.redis.events if version > 0]
    if events != sorted(set(events)):
        return ONE_EVENT
    row = after.row
    if (row.status == "published") != (row.published == row.version):
        return NO_LIE
    return None


def has_converged(state: State) -> bool:
    """The event of a script that failed half-way is one too many, and does not count."""
    events = [version for version in state.redis.events if version > 0]
    is_told = bool(events) and CONTENT[events[-1]] == CONTENT[NEWEST]
    return state.row.status == "published" and state.redis.shown == NEWEST and is_told


@dataclass(frozen=True)
class Run:
    """How far it came; ``story`` leads to the broken promise."""

    broken: str | None
    story: tuple[str, ...]
    states: int
    ends: int


def explore(rules: Rules, crashes: int = 0, half_failures: int = 0, losses: int = 0) -> Run:
    start = State(Row(), Redis(), (None, None), (), False, crashes, half_failures, losses)
    came_from: dict[State, Step | None] = {start: None}
    waiting, ends = deque([start]), 0
    while waiting:
        state = waiting.popleft()
        steps = list(progress(state, rules))
        if not steps:
            ends += 1
            if not has_converged(state):
                return Run(CONVERGES, story_of(state, came_from), len(came_from), ends)
        for label, after in (*steps, *faults(state, rules)):
            if (promise := broken_by(state, after)) is not None:
                story = (*story_of(state, came_from), label)
                return Run(promise, story, len(came_from), ends)
            if after not in came_from:
                came_from[after] = (label, state)
                waiting.append(after)
    return Run(None, (), len(came_from), ends)


def story_of(state: State, came_from: Mapping[State, Step | None]) -> tuple[str, ...]:
    step = came_from[state]
    return () if step is None else (*story_of(step[1], came_from), step[0])


OURS = Rules()
BARE = Rules(sentinel=False, sweep=False)  # without the safety net, which would hide a mistake

KEPT = [
    pytest.param(BARE, {}, id="nothing goes wrong"),
    pytest.param(BARE, {"crashes": 2}, id="crashes"),
    pytest.param(BARE, {"half_failures": 2}, id="scripts fail half-way"),
    pytest.param(BARE, {"crashes": 1, "half_failures": 1}, id="both"),
    pytest.param(OURS, {"losses": 2}, id="Redis loses data"),
    pytest.param(OURS, {"crashes": 1, "losses": 1}, id="it does, and somebody crashes"),
    pytest.param(OURS, {"half_failures": 1, "losses": 1}, id="it does, and a script fails"),
]


@pytest.mark.parametrize(("rules", "harm"), KEPT)
def test_our_rules_keep_every_promise(rules, harm) -> None:
    run = explore(rules, **harm)

    assert run.broken is None, run.story
    assert run.ends > 0
    assert run.states > 500


BROKEN = [
    pytest.param(
        replace(BARE, version_before_fingerprint=False),
        {},
        CONVERGES,
        id="the fingerprint first: A, B, A ends at B for ever",
    ),
    pytest.param(
        replace(BARE, version_is_compared=False),
        {},
        NEVER_BACK,
        id="no version",
    ),
    pytest.param(
        replace(BARE, event_before_document=False),
        {"half_failures": 1},
        CONVERGES,
        id="the document before the event",
    ),
    pytest.param(
        BARE,
        {"losses": 1},
        CONVERGES,
        id="nobody looks for lost data",
    ),
    pytest.param(
        replace(OURS, sweep=False),
        {"losses": 1},
        CONVERGES,
        id="no sweep: what was in hand when Redis lost it stays lost",
    ),
    pytest.param(
        replace(BARE, settle_compares_token=False, settle_compares_version=False),
        {},
        CONVERGES,
        id="settling without a fence: what was owed meanwhile is never published",
    ),
    pytest.param(
        replace(BARE, settle_compares_version=False, owe_takes_the_token=False),
        {},
        CONVERGES,
        id="settling by token, which an owe leaves: what was owed meanwhile is never published",
    ),
    pytest.param(
        replace(BARE, settle_compares_token=False),
        {"half_failures": 1},
        NO_LIE,
        id="settling by version: a late loser fails what was published",
    ),
]


@pytest.mark.parametrize(("rules", "harm", "promise"), BROKEN)
def test_without_one_of_them_a_promise_is_broken(rules, harm, promise) -> None:
    run = explore(rules, **harm)

    assert run.broken == promise, run.story
