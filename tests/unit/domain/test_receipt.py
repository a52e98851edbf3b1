"""What the gateway is told: one receipt per packet, in their order."""

import pytest

from tests.support import NOW_MS, a_claim, a_packet, an_assessment, received
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.receipt import (
    Conflict,
    Duplicate,
    New,
    Standing,
    Stored,
    receipts_of,
    standings_of,
)
from vitalrelay.domain.snapshot import Snapshot

TODAY = Standing(42, "sha256:today", an_assessment())
BEFORE = Standing(41, "sha256:before", an_assessment())
SUBJECT = SubjectId("p-0042")


def test_a_new_packet_is_stored_and_stands_with_what_is_owed_now():
    new = received(received_ms=NOW_MS + 105, heart_rate=81)

    [receipt] = receipts_of([new.packet], [New(new)], {SUBJECT: TODAY})

    assert receipt == Stored(new.packet.id, SUBJECT, NOW_MS + 105, False, TODAY, duplicate=False)


@pytest.mark.parametrize("ahead_ms", [2_000, 2_001])
def test_a_receipt_says_whether_the_clock_is_suspect(ahead_ms):
    new = received(at_ms=NOW_MS + ahead_ms, received_ms=NOW_MS, heart_rate=81)

    [receipt] = receipts_of([new.packet], [New(new)], {SUBJECT: TODAY})

    assert receipt.clock_suspect is (ahead_ms > 2_000)


def test_a_duplicate_keeps_its_first_receipt_and_stands_with_today():
    packet = a_packet(heart_rate=81)
    duplicate = Duplicate(received_ms=NOW_MS - 1, clock_suspect=True, standing=BEFORE)

    [receipt] = receipts_of([packet], [duplicate], {})

    assert receipt == Stored(packet.id, SUBJECT, NOW_MS - 1, True, BEFORE, duplicate=True)


def test_what_is_owed_just_now_outdates_what_was_before():
    old, new = a_packet(heart_rate=81), received(at_ms=NOW_MS + 1, heart_rate=82)
    recorded = [Duplicate(NOW_MS, False, BEFORE), New(new)]

    receipts = receipts_of([old, new.packet], recorded, {SUBJECT: TODAY})

    assert [receipt.standing for receipt in receipts] == [TODAY, TODAY]


def test_a_twin_in_the_same_unit_of_work_is_a_duplicate_of_the_first():
    new = received(received_ms=NOW_MS + 105, heart_rate=81)
    twin = Duplicate(NOW_MS + 105, False, None)

    receipts = receipts_of([new.packet] * 2, [New(new), twin], {SUBJECT: TODAY})

    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert receipts[0].standing == receipts[1].standing == TODAY


def test_a_conflict_is_answered_in_its_place():
    packets = [a_packet(heart_rate=81), a_packet(heart_rate=82)]
    recorded = [Conflict(), Duplicate(NOW_MS, False, BEFORE)]

    first, second = receipts_of(packets, recorded, {})

    assert first == Conflict()
    assert isinstance(second, Stored)


def test_a_patient_stands_with_what_was_claimed_for_the_screens():
    chart = Chart(Snapshot(subject=SUBJECT))
    chart.fold(received(heart_rate=81), News2())
    claim = a_claim(SUBJECT, version=7)

    standings = standings_of([chart], [claim])

    assert standings == {SUBJECT: Standing(7, claim.fingerprint, chart.snapshot.assessment)}
