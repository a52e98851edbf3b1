"""A chart while packets are taken in: what follows from each of them, under any risk model."""

import pytest

from tests.support import (
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    WELL,
    a_snapshot,
    an_alarm,
    an_assessment,
    received,
)
from tests.unit.domain.ward import ward_after
from vitalrelay.domain.alarms import AlarmAction, AlarmState
from vitalrelay.domain.assessment import Assessment, RiskLevel
from vitalrelay.domain.chart import Assessed, Chart, fold_all
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Received, SubjectId
from vitalrelay.domain.review import ReviewState
from vitalrelay.domain.snapshot import Encounter, Snapshot, folded

ILL = {**WELL, "respiratory_rate": 25, "spo2": 93, "heart_rate": 115}  # 3 + 2 + 2


class CountOfVitals:
    """A risk model that is none: the more is measured, the higher the risk."""

    def __call__(self, encounter: Encounter) -> Assessment:
        levels = [RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH]
        count = len(encounter.vitals)
        return an_assessment(
            levels[min(count - 1, 2)],
            known=(),
            components=dict.fromkeys(encounter.vitals, 1),
            model_name="count",
        )


def empty_chart(subject: str = "p-0042") -> Chart:
    return Chart(Snapshot(subject=SubjectId(subject)))


def chart_of(*packets: Received) -> Chart:
    chart = empty_chart(packets[0].packet.subject)
    fold_all([chart], packets, News2())
    return chart


def test_the_first_packet_makes_version_one():
    chart = empty_chart()

    chart.fold(received(**WELL), News2())

    assert chart.snapshot.version == 1
    assert chart.snapshot.subject == chart.subject == "p-0042"
    assert chart.site == "seoul-01"


def test_a_chart_is_one_version_on_however_many_packets_it_takes_in():
    chart = Chart(a_snapshot(**WELL, version=41))

    fold_all([chart], [received(at_ms=NOW_MS + n, **WELL) for n in (1, 2, 3)], News2())

    assert chart.snapshot.version == 42


def test_every_packet_goes_into_its_own_patients_chart():
    charts = [empty_chart("p-1"), empty_chart("p-2")]
    packets = [received(subject="p-1", **WELL), received(subject="p-2", **ILL)]

    folded_charts = fold_all(charts, packets, News2())

    assert folded_charts == charts
    assert [chart.snapshot.assessment.score for chart in charts] == [0, 7]


def test_any_risk_model_can_be_folded_with():
    packets = [
        received(at_ms=NOW_MS, heart_rate=81),
        received(at_ms=NOW_MS + 1, spo2=96),
        received(at_ms=NOW_MS + 2, temperature=36.8),
    ]

    [chart] = fold_all([empty_chart()], packets, assess=CountOfVitals())

    assert chart.snapshot.assessment.model_name == "count"
    assert chart.snapshot.assessment.score == 3
    assert [alarm.name for alarm in chart.snapshot.alarms] == ["count-high"]
    assert [event.change.action for event in chart.audit] == [
        AlarmAction.RAISED,
        AlarmAction.SUPERSEDED,
        AlarmAction.ESCALATED,
    ]
    assert chart.snapshot.review.priority is RiskLevel.HIGH


def test_what_was_not_yet_known_has_no_urgency():
    urgencies = [
        Snapshot(subject=SubjectId("p-0042")).urgency,
        chart_of(received(**WELL)).snapshot.urgency,
        chart_of(received(perfusion_index=3)).snapshot.urgency,
        chart_of(received(**WELL | {"spo2": 91})).snapshot.urgency,
        chart_of(received(**WELL | {"spo2": 91, "respiratory_rate": 22})).snapshot.urgency,
        chart_of(received(**ILL)).snapshot.urgency,
    ]

    assert urgencies == [0, 0, 1, 2, 3, 4]


def test_the_assessment_alarms_and_review_item_follow_from_each_packet():
    packet = received(received_ms=NOW_MS + 105, encounter="e-1", **ILL)

    chart = chart_of(packet)

    snapshot = chart.snapshot
    assert (snapshot.assessment.score, snapshot.assessment.risk_level) == (7, RiskLevel.HIGH)
    assert [alarm.name for alarm in snapshot.alarms] == ["vital-red:respiratory_rate", "news2-high"]
    assert snapshot.review.priority is RiskLevel.HIGH
    assert chart.reviews == {"e-1": snapshot.review}
    assert chart.assessed == {
        "e-1": Assessed(snapshot.encounter, snapshot.assessment, NOW_MS + 105)
    }


def test_every_transition_is_noted_with_what_it_rests_on():
    packet = received(received_ms=NOW_MS + 105, encounter="e-1", **ILL)

    chart = chart_of(packet)

    first, second = chart.audit
    assert (first.event_id, second.event_id) == ("p-0042:1.1", "p-0042:1.2")
    assert second.about == "p-0042:news2-high"
    assert (second.subject, second.encounter, second.site) == ("p-0042", "e-1", "seoul-01")
    assert (second.occurred_at_ms, second.packet) == (NOW_MS + 105, packet.packet.id)
    assert second.assessment == chart.snapshot.assessment
    assert (second.signed.actor_ref, second.signed.actor_role) == ("system", "system")
    assert (second.change.previous, second.change.current.since_ms) == (None, NOW_MS)


def test_a_repeat_notes_nothing():
    chart = chart_of(received(at_ms=NOW_MS, **ILL), received(at_ms=NOW_MS + 1, **ILL))

    assert len(chart.audit) == 2
    assert all(event.packet.endswith(str(NOW_MS)) for event in chart.audit)


def test_what_rises_and_falls_within_one_batch_is_noted_both_ways():
    chart = chart_of(received(at_ms=NOW_MS, **ILL), received(at_ms=NOW_MS + 1, **WELL))

    assert [event.change.action for event in chart.audit] == ["raised"] * 2 + ["cleared"] * 2
    assert {alarm.state for alarm in chart.snapshot.alarms} == {AlarmState.CLEARED_UNACKNOWLEDGED}
    assert chart.snapshot.review.state is ReviewState.CLOSED


def test_a_late_packet_raises_no_alarm_about_the_past():
    now = received(at_ms=NOW_MS, **WELL)
    late = received(at_ms=NOW_MS - HOUR_MS, received_ms=NOW_MS + 1, **ILL)

    chart = chart_of(now, late)

    assert (chart.snapshot.alarms, chart.audit) == ((), [])
    assert chart.snapshot.review is None


def test_a_late_packet_raises_an_alarm_where_it_changes_what_is_known_now():
    now = received(at_ms=NOW_MS, heart_rate=70)
    late = received(at_ms=NOW_MS - HOUR_MS, received_ms=NOW_MS + 1, consciousness="P")

    chart = chart_of(now, late)

    [alarm] = chart.snapshot.alarms
    assert (alarm.name, alarm.since_ms) == ("vital-red:consciousness", NOW_MS)


def test_no_alarm_comes_of_a_value_that_is_not_good():
    artefacts = received(heart_rate=400, spo2=0, systolic_bp=-32768, temperature=384.5)

    chart = chart_of(artefacts)

    assert (chart.snapshot.alarms, chart.audit) == ((), [])


def test_an_alarm_is_not_cleared_by_a_probe_that_slips():
    ill = received(at_ms=NOW_MS, **ILL)
    slipped = received(at_ms=NOW_MS + MINUTE_MS, spo2=0, respiratory_rate=0)

    chart = chart_of(ill, slipped)

    assert {(a.state, a.stale) for a in chart.snapshot.alarms} == {(AlarmState.ACTIVE, False)}
    assert len(chart.audit) == 2


def test_alarms_whose_values_have_become_too_old_are_kept_as_stale():
    ill = received(at_ms=NOW_MS, **ILL)
    silence = received(at_ms=NOW_MS + 5 * HOUR_MS, perfusion_index=3)

    chart = chart_of(ill, silence)

    assert chart.snapshot.assessment.risk_level is RiskLevel.UNKNOWN
    assert {(a.state, a.stale) for a in chart.snapshot.alarms} == {(AlarmState.ACTIVE, True)}
    assert chart.snapshot.review.state is ReviewState.OPEN


def test_a_clock_that_runs_ahead_raises_its_alarm_until_it_is_right():
    ahead = received(at_ms=NOW_MS + HOUR_MS, received_ms=NOW_MS, **WELL)
    right = received(at_ms=NOW_MS + 1, **WELL)

    before = chart_of(ahead)
    after = chart_of(ahead, right)

    assert [alarm.name for alarm in before.snapshot.alarms] == ["clock-suspect"]
    assert after.snapshot.alarms == ()
    assert [event.change.action for event in after.audit] == ["raised", "resolved"]


def test_a_new_encounter_resolves_the_alarms_and_closes_the_review_of_the_old_one():
    ill = received(at_ms=NOW_MS, encounter="e-1", **ILL)
    moved = received(at_ms=NOW_MS + 1, encounter="e-2", **WELL)

    chart = chart_of(ill, moved)

    assert (chart.snapshot.alarms, chart.snapshot.review) == ((), None)
    ended = chart.audit[2:]
    assert [event.change.action for event in ended] == ["resolved", "resolved"]
    assert {event.change.reason for event in ended} == {"encounter-ended"}
    assert {(event.encounter, event.packet) for event in ended} == {("e-1", moved.packet.id)}
    assert chart.reviews["e-1"].state is ReviewState.CLOSED


def test_an_alarm_does_not_follow_the_patient_into_the_next_encounter():
    ill = received(at_ms=NOW_MS, encounter="e-1", **ILL)
    ill_still = received(at_ms=NOW_MS + 1, encounter="e-2", **ILL)

    chart = chart_of(ill, ill_still)

    assert {alarm.since_ms for alarm in chart.snapshot.alarms} == {NOW_MS + 1}
    assert chart.snapshot.review.encounter == "e-2"
    assert [event.change.action for event in chart.audit] == (
        ["raised"] * 2 + ["resolved"] * 2 + ["raised"] * 2
    )


def test_a_late_packet_of_an_earlier_encounter_is_assessed_and_shows_nothing():
    now = received(at_ms=NOW_MS, encounter="e-2", **WELL)
    late = received(at_ms=NOW_MS - HOUR_MS, received_ms=NOW_MS + 1, encounter="e-1", **ILL)

    chart = chart_of(now, late)

    assert chart.snapshot.encounter.id == "e-2"
    assert (chart.snapshot.alarms, chart.audit, chart.reviews) == ((), [], {})
    assert chart.assessed["e-1"].assessment.score == 7
    assert chart.assessed["e-1"].at_ms == NOW_MS + 1


def test_a_recalled_encounter_is_what_a_late_packet_is_taken_into():
    stored = received(at_ms=NOW_MS - HOUR_MS, encounter="e-1", spo2=91)
    late = received(at_ms=NOW_MS - HOUR_MS + 1, encounter="e-1", heart_rate=131)
    shown = a_snapshot(received(at_ms=NOW_MS, encounter="e-2", **WELL))

    chart = Chart(shown)
    chart.recall({stored.packet.encounter: folded([stored])})
    chart.fold(late, News2())

    assert chart.assessed["e-1"].assessment.components == {"spo2": 3, "heart_rate": 3}


def test_the_closed_review_of_an_encounter_opens_again_when_that_encounter_returns():
    ward = ward_after(
        [received(at_ms=NOW_MS, encounter="e-1", **ILL)],
        [received(at_ms=NOW_MS + 1, encounter="e-2", **WELL)],
    )

    ward.ingest([received(at_ms=NOW_MS + 2, encounter="e-1", **ILL)])

    shown = ward.snapshot()
    assert (shown.review.encounter, shown.review.state) == ("e-1", ReviewState.OPEN)
    assert {alarm.since_ms for alarm in shown.alarms} == {NOW_MS + 2}


@pytest.mark.parametrize("state", [AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED])
def test_what_a_person_did_to_an_alarm_is_still_true_after_the_next_packet(state):
    alarm = an_alarm("news2-high", state, muted_until_ms=NOW_MS + HOUR_MS)
    high = {**ILL, "respiratory_rate": 24, "spo2": 92, "systolic_bp": 105}  # 7, no single 3
    before = Snapshot(
        subject=SubjectId("p-0042"),
        version=7,
        encounter=folded([received(**high)]),
        assessment=News2()(folded([received(**high)])),
        alarms=(alarm,),
    )

    chart = Chart(before)
    chart.fold(received(at_ms=NOW_MS + 1, **high), News2())

    assert chart.snapshot.alarms == (alarm,)
    assert chart.audit == []
