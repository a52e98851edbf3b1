"""Everything that was answered is kept, once, and the snapshot is what came of all of it."""

import pytest

from tests.acceptance.aftermath import LOAD_S, NURSES, PER_SECOND, SUBJECT, aftermath_of
from tests.acceptance.refold import Refold
from vitalrelay.domain.alarms import AlarmAction
from vitalrelay.domain.chain_check import ChainCheck

AT_LEAST_PER_SECOND = 45
RARE = {AlarmAction.UNMUTED}  # most mutes are overtaken by another, or by the end of the alarm


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory):
    """It happens once, and each test looks at what is left of it."""
    return aftermath_of(tmp_path_factory.mktemp("actions"))


def test_all_packets_were_acknowledged_at_about_the_pace_they_came(aftermath):
    gateway, written = aftermath.gateway, aftermath.written

    stored = sum(map(len, written.commits))

    assert gateway.per_second >= AT_LEAST_PER_SECOND
    assert gateway.acknowledged == stored == round(LOAD_S * PER_SECOND)
    assert gateway.streams > 1


def test_the_patient_was_restless_and_the_people_busy(aftermath):
    told = {record["action"] for record in aftermath.written.records}
    reasons = {record["reason"] for record in aftermath.written.records}

    repeated = [deed for deed in aftermath.deeds if len(deed.request_ids) > 1]

    assert told >= set(AlarmAction) - RARE
    assert reasons >= {"condition-true", "condition-over", "condition-returned"}
    assert {deed.status for deed in aftermath.deeds} == {200, 404, 409}
    assert len(repeated) >= NURSES / 2


def test_every_action_that_was_done_is_in_the_trail_exactly_once(aftermath):
    done = aftermath.with_outcome("done")

    told = {record["eventId"]: record for record in aftermath.by_people}

    assert set(aftermath.trail) == {record["eventId"] for record in aftermath.written.records}
    assert len(told) == len(aftermath.by_people)
    assert sorted(deed.answer["eventId"] for deed in done) == sorted(told)
    for deed in done:
        assert_signed(told[deed.answer["eventId"]], deed)
        assert_signed(aftermath.trail[deed.answer["eventId"]], deed)


def assert_signed(record, deed):
    assert record["alarmId"] == deed.alarm
    assert record["action"] == {"acknowledge": "acknowledged", "mute": "muted"}[deed.verb]
    assert record["actorRef"] == deed.wanted["actorRef"]
    assert record["reason"] == deed.wanted["reason"]
    assert record["requestId"] in deed.request_ids


def test_what_changed_nothing_or_was_refused_left_no_record(aftermath):
    nothing = [*aftermath.with_outcome("unchanged"), *aftermath.with_outcome("refused")]

    sent = {request for deed in nothing for request in deed.request_ids}

    assert len(aftermath.with_outcome("unchanged")) > 0
    assert len(aftermath.with_outcome("refused")) > 0
    assert all(deed.answer.get("eventId") is None for deed in nothing)
    assert sent.isdisjoint(record["requestId"] for record in aftermath.by_people)


def test_the_chain_holds_and_verify_finds_nothing(aftermath):
    written, chain = aftermath.written, ChainCheck()

    for event in written.events:
        chain.follow(event)
    chain.end(written.head)

    assert chain.broken == 0
    assert aftermath.verified["ok"], aftermath.verified
    assert aftermath.verified["auditEvents"] == len(written.events)
    assert aftermath.verified["acknowledged"] == aftermath.gateway.acknowledged


def test_the_snapshot_is_the_fold_of_packets_and_actions_in_the_order_of_their_commits(aftermath):
    written = aftermath.written

    documents = [world.document for world in Refold(SUBJECT, written).worlds()]

    assert written.document in documents
    assert aftermath.shown == written.document
