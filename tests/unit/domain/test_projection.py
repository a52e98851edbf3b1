"""What came of a publish, and what is done about it."""

from datetime import timedelta

import pytest

from tests.support import LEASE, SECOND, TWICE, a_claim
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.projection import (
    GiveUp,
    HandBack,
    Judged,
    Landed,
    Outcome,
    Published,
    Refused,
    RelayReport,
    RetryLater,
    RetryPolicy,
    Unreachable,
    Verdict,
    projection_id,
)

PATIENT = RetryPolicy(
    max_attempts=8, first_delay=SECOND, longest_delay=10 * SECOND, outage_pause=5 * SECOND
)
SUPERSEDED = GiveUp("superseded: the store is ahead of the database")
CONFLICT = GiveUp("conflict: the store has this version with other content")

# Outcome, attempt, verdict; two attempts in all.
JUDGED: list[tuple[Outcome, int, Verdict]] = [
    (Landed.WRITTEN, 1, Published()),
    (Landed.WRITTEN, 2, Published()),
    (Landed.UNCHANGED, 1, Published()),
    (Landed.DUPLICATE, 1, Published()),
    (Landed.SUPERSEDED, 1, SUPERSEDED),
    (Landed.SUPERSEDED, 2, SUPERSEDED),
    (Landed.CONFLICT, 1, CONFLICT),
    (Landed.CONFLICT, 2, CONFLICT),
    (Refused("wrong type"), 1, RetryLater(SECOND, "wrong type")),
    (Refused("wrong type"), 2, GiveUp("wrong type")),
    (Refused("wrong type"), 3, GiveUp("wrong type")),
    (Unreachable("timeout"), 1, HandBack(TWICE.outage_pause, "timeout")),
    (Unreachable("timeout"), 2, HandBack(TWICE.outage_pause, "timeout")),
    (Unreachable("timeout"), 99, HandBack(TWICE.outage_pause, "timeout")),
]


@pytest.mark.parametrize(("outcome", "attempt", "verdict"), JUDGED)
def test_every_outcome_has_one_verdict(outcome, attempt, verdict):
    claim = a_claim(attempt=attempt)

    judged = claim.judge(outcome, TWICE)

    assert judged == verdict


def test_the_table_above_leaves_no_way_to_land_out():
    judged = {outcome for outcome, _, _ in JUDGED if isinstance(outcome, Landed)}

    assert judged == set(Landed)
    assert {landed.value for landed in Landed} == {
        "written",
        "unchanged",
        "duplicate",
        "superseded",
        "conflict",
    }


def test_delays_double_up_to_the_longest_and_end_with_the_last_attempt():
    attempts = range(1, 10)

    delays = [PATIENT.delay_after(attempt) for attempt in attempts]

    assert delays == [timedelta(seconds=s) for s in (1, 2, 4, 8, 10, 10, 10)] + [None, None]


def test_a_very_patient_policy_does_not_run_out_of_time():
    policy = RetryPolicy(
        max_attempts=10_000, first_delay=SECOND, longest_delay=LEASE, outage_pause=SECOND
    )

    delay = policy.delay_after(9_999)

    assert delay == LEASE


def test_a_policy_of_one_attempt_never_retries():
    once = RetryPolicy(
        max_attempts=1, first_delay=SECOND, longest_delay=SECOND, outage_pause=SECOND
    )

    verdict = a_claim(attempt=1).judge(Refused("too large"), once)

    assert verdict == GiveUp("too large")


def test_a_projection_is_named_after_its_patient():
    name = projection_id(SubjectId("p-0042"))

    assert name == "monitoring-snapshot:p-0042"


def test_a_report_counts_verdicts_and_what_was_lost():
    verdicts: list[Verdict] = [
        Published(),
        Published(),
        RetryLater(SECOND, "no"),
        HandBack(SECOND, "away"),
        GiveUp("no"),
    ]
    outcomes: list[Outcome] = [
        Landed.WRITTEN,
        Landed.UNCHANGED,
        Refused("no"),
        Unreachable("away"),
        Refused("no"),
    ]

    judged = [
        Judged(a_claim(f"p-{n}"), outcome, verdict)
        for n, (outcome, verdict) in enumerate(zip(outcomes, verdicts, strict=True))
    ]

    report = RelayReport.of(judged, settled=3)

    assert report == RelayReport(
        published=2, retried=1, handed_back=1, given_up=1, lost=2, outcomes=tuple(outcomes)
    )
    assert report.claimed == 5


@pytest.mark.parametrize(
    ("report", "worth"),
    [
        (RelayReport(), False),
        (RelayReport(published=1), True),
        (RelayReport(retried=1), True),
        (RelayReport(given_up=1), True),
        (RelayReport(published=9, handed_back=1), False),
        (RelayReport(published=1, lost=1), True),
    ],
)
def test_another_turn_is_worth_it_while_there_was_work_and_nobody_was_away(report, worth):
    assert report.worth_repeating is worth
