"""Whatever monitor, people and time do at a bedside: what is always true of its alarms."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from tests.support import NOW_MS, SEVEN, an_assessment, received
from tests.unit.domain.bedside import SUBJECT, Bedside
from tests.unit.domain.strategies import cuts, often, sometimes, split
from vitalrelay.domain.alarms import Alarm, AlarmAction, AlarmState
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.document import alarm_document
from vitalrelay.domain.errors import NotPossible

RED, MEDIUM, HIGH = "vital-red:spo2", "news2-medium", "news2-high"
BUT_SPO2 = [name for name in SEVEN if name != "spo2"]
REARM_S = 60

ASSESSMENTS = [
    an_assessment(RiskLevel.LOW),
    an_assessment(RiskLevel.LOW_MEDIUM, components={"spo2": 3}),
    an_assessment(RiskLevel.MEDIUM),
    an_assessment(RiskLevel.MEDIUM, components={"spo2": 3}),
    an_assessment(RiskLevel.HIGH),
    an_assessment(RiskLevel.HIGH, components={"spo2": 3}),
    an_assessment(RiskLevel.LOW, known=BUT_SPO2),
    an_assessment(RiskLevel.UNKNOWN, known=()),
]
# On both sides of the re-arm time and of silence.
GAPS_S = [0, 1, 10, 30, 59, REARM_S, 60.001, 61, 130, 1000]

Step = tuple[str, object]  # a packet by what is made of it, a person's verb, or a look
Story = list[tuple[float, Step]]  # and how long after the one before

PACKETS: dict[str, dict[str, object]] = {
    "packet": {},
    "packet of a clock that runs ahead": {"late_s": -180},
    "packet of another stay": {"encounter": "e-2"},
}
VERBS = ["acknowledges", "acknowledges", "mutes"]

packets = st.tuples(st.just("packet"), st.integers(0, len(ASSESSMENTS) - 1))
strange_packets = st.tuples(
    st.sampled_from([*PACKETS, "late packet"]), st.integers(0, len(ASSESSMENTS) - 1)
)
actions = st.tuples(st.sampled_from(VERBS), st.sampled_from([RED, MEDIUM, HIGH, "no-data"]))
looks = st.just(("looks", None))

stories = st.tuples(
    packets.map(lambda first: (0, first)),
    st.lists(
        st.tuples(
            st.sampled_from(GAPS_S), st.one_of(packets, packets, strange_packets, actions, looks)
        ),
        min_size=1,
        max_size=12,
    ),
).map(lambda story: [story[0], *story[1]])


def do(bedside: Bedside, step: Step, at_s: float) -> None:
    match step:
        case ("looks", _):
            bedside.looks(at_s)
        case ("late packet", says):
            bedside.sees(ASSESSMENTS[says], at_s - 30, late_s=30)
        case (packet, says) if packet in PACKETS:
            bedside.sees(ASSESSMENTS[says], at_s, **PACKETS[packet])
        case (verb, name):
            with suppress(NotPossible):
                getattr(bedside, verb)(name)


def a_bedside() -> Bedside:
    return Bedside(rearm_ms=REARM_S * 1000, no_data_after_ms=120_000)


def played(story: Story, after: Callable[[Bedside], None]) -> Bedside:
    """``after`` is asked after each step."""
    bedside, at_s = a_bedside(), 0.0
    for gap_s, step in story:
        at_s += gap_s
        do(bedside, step, at_s)
        after(bedside)
    return bedside


@often
@given(stories)
def test_the_trail_joins_up_and_the_document_says_it_all(story):
    """The second is asserted at the bedside, with every step."""
    bedside = played(story, after=lambda _: None)

    assert bedside.broken() == 0


@sometimes
@given(stories)
def test_there_is_one_alarm_of_each_condition(story):
    def one_each(bedside: Bedside) -> None:
        names = [alarm.name for alarm in bedside.snapshot.every_alarm]
        assert len(names) == len(set(names))
        assert not any(alarm.shown for alarm in bedside.snapshot.resting)
        assert all(alarm.shown for alarm in bedside.snapshot.alarms)

    played(story, after=one_each)


@often
@given(stories)
def test_what_stands_for_the_rearm_time_is_what_the_trail_said_last(story):
    bedside = played(story, after=lambda _: None)

    stands(bedside)

    assert shown(bedside) == last_told(bedside)
    assert bedside.broken() == 0


def stands(bedside: Bedside) -> None:
    """The same assessment in the same encounter, once more now and once more later."""
    assessment, encounter = bedside.snapshot.assessment, bedside.snapshot.encounter
    for _ in range(2):
        at_s = (max(bedside.now_ms, encounter.as_of.at_ms) - NOW_MS) / 1000 + REARM_S + 0.001
        bedside.sees(assessment, at_s, encounter=encounter.id)


def shown(bedside: Bedside) -> dict[str, object]:
    return {
        alarm.name: told_of(alarm_document(alarm, SUBJECT)) for alarm in bedside.snapshot.alarms
    }


def last_told(bedside: Bedside) -> dict[str, object]:
    told: dict[str, object] = {}
    for record in (event.record() for event in bedside.events):
        told[record["alarmId"].partition(":")[2]] = record["current"] and told_of(record["current"])
    return {name: alarm for name, alarm in told.items() if alarm is not None}


def told_of(alarm: dict[str, object]) -> dict[str, object]:
    """Being confirmed, and being stale, is told to nobody."""
    untold = ("known", "stale", "endedMs", "returned")
    return {name: value for name, value in alarm.items() if name not in untold}


@often
@given(stories)
def test_no_acknowledged_alarm_is_active_again_unless_it_is_called_anew(story):
    seen: dict[str, Alarm] = {}
    told = 0

    def called_anew(bedside: Bedside) -> None:
        nonlocal told
        new = bedside.events[told:]
        called = {
            event.change.current.name
            for event in new
            if event.change.action in (AlarmAction.RAISED, AlarmAction.ESCALATED)
            and event.change.current.state is AlarmState.ACTIVE
        }
        for alarm in bedside.snapshot.alarms:
            before = seen.get(alarm.name)
            if before is not None and before.acknowledged_by and not alarm.acknowledged_by:
                assert alarm.name in called
            seen[alarm.name] = alarm
        told = len(bedside.events)

    played(story, after=called_anew)


Known = tuple[str, float]  # true, false, unknown or acknowledged; so long after the one before
SAID = {"true": ASSESSMENTS[1], "false": ASSESSMENTS[0], "unknown": ASSESSMENTS[6]}


def by_the_rules(said: Sequence[Known]) -> tuple[AlarmState, int] | None:
    """One condition straight from the lifecycle: its state and since when; None: not shown."""
    since = ended = seen = None
    at_s = 0.0
    for word, gap_s in said:
        at_s += gap_s
        present = since is not None and ended is None
        forgotten = ended is not None and at_s - ended > REARM_S
        if word == "true" and not present:
            if since is None or (forgotten and seen):
                since, seen = at_s, None
            ended = None
        elif word == "false" and present:
            ended = at_s
        elif word == "acknowledged" and since is not None:
            seen = True
    if since is None or (ended is not None and seen):
        return None
    since_ms = NOW_MS + round(since * 1000)
    if ended is not None:
        return AlarmState.CLEARED_UNACKNOWLEDGED, since_ms
    return (AlarmState.ACKNOWLEDGED if seen else AlarmState.ACTIVE), since_ms


@often
@given(
    st.lists(
        st.tuples(st.sampled_from([*SAID, "acknowledged"]), st.sampled_from(GAPS_S)), max_size=15
    )
)
def test_the_shown_state_is_what_the_rules_say(said):
    expected = by_the_rules([("false", 0), *said])

    bedside, at_s = a_bedside(), 0.0
    bedside.sees(SAID["false"], 0)
    for word, gap_s in said:
        at_s += gap_s
        if word in SAID:
            bedside.sees(SAID[word], at_s)
        else:
            with suppress(NotPossible):
                bedside.acknowledges(RED)

    alarms = [(alarm.state, alarm.since_ms) for alarm in bedside.snapshot.alarms]
    assert alarms == ([] if expected is None else [expected])


@st.composite
def arrivals(draw):
    """Packets of one patient with what is made of them, in order of time but for some."""
    at_ms, pairs = NOW_MS, []
    for _ in range(draw(st.integers(1, 12))):
        at_ms += round(draw(st.sampled_from(GAPS_S)) * 1000)
        late_ms = draw(st.sampled_from([0, 0, 0, 20_000]))
        encounter = draw(st.sampled_from(["e-1", "e-1", "e-1", "e-2"]))
        packet = received(
            at_ms=at_ms - late_ms, received_ms=at_ms, encounter=encounter, heart_rate=70
        )
        pairs.append((packet, draw(st.sampled_from(ASSESSMENTS))))
    return pairs


@often
@given(arrivals(), st.data())
def test_who_shares_a_transaction_matters_to_no_episode(pairs, data):
    alone, together = a_bedside(), a_bedside()
    for pair in pairs:
        alone.receives(pair)

    for batch in split(pairs, data.draw(cuts(len(pairs)))):
        together.receives(*batch)

    assert together.snapshot.every_alarm == alone.snapshot.every_alarm
    assert [event.change for event in together.events] == [event.change for event in alone.events]
    assert together.hearing == alone.hearing
    assert together.broken() == alone.broken() == 0
