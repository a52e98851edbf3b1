"""The audit record and its chain: what was changed, removed, inserted or swapped is noticed."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support import NOW_MS, SEVEN, an_alarm, received
from tests.unit.domain.strategies import sometimes
from vitalrelay.domain.alarms import AlarmAction, AlarmState, Transition
from vitalrelay.domain.audit import (
    CHAIN_START,
    AuditEvent,
    Link,
    Signature,
    by_site,
    chain,
    chain_hash,
)
from vitalrelay.domain.chart import Chart
from vitalrelay.domain.document import alarm_document
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import SubjectId
from vitalrelay.domain.snapshot import Snapshot

BY_NURSE = Signature(actor_ref="nurse-7", actor_role="clinician")

Record = dict[str, object]
Chained = list[tuple[Record, str]]


def an_event(n: int = 1, site: str = "seoul-01", **changes) -> AuditEvent:
    """An event as a chart notes it; the n-th of its patient."""
    chart = Chart(Snapshot(subject=SubjectId("p-0042"), version=n - 1))
    red = received(received_ms=NOW_MS + n, site=site, encounter="e-0042-1", spo2=91)
    chart.fold(red, News2())
    return replace(chart.audit[0], **changes)


def stored(event: AuditEvent) -> Record:
    """A record as it is read from the database, years later."""
    return json.loads(canonical_json(event.record()), parse_float=Decimal)


def chained(events: Sequence[AuditEvent]) -> Chained:
    links = chain(CHAIN_START, events)
    return [(stored(event), link.hash) for event, link in zip(events, links, strict=True)]


def intact(records: Chained) -> bool:
    previous = CHAIN_START.hash
    for record, noted in records:
        if chain_hash(previous, record) != noted:
            return False
        previous = noted
    return True


def test_a_record_says_who_did_what_to_which_alarm_when_and_why():
    before = an_alarm("news2-high", AlarmState.ACTIVE)
    after = an_alarm("news2-high", AlarmState.ACKNOWLEDGED, acknowledged_by="nurse-7")
    seen = Transition(AlarmAction.ACKNOWLEDGED, "seen at bedside", before, after)

    record = an_event(change=seen, signed=BY_NURSE).record()

    assert record["eventId"] == "p-0042:1.1"
    assert record["alarmId"] == "p-0042:news2-high"
    assert (record["subjectId"], record["encounterId"]) == ("p-0042", "e-0042-1")
    assert record["siteId"] == "seoul-01"
    assert (record["action"], record["reason"]) == ("acknowledged", "seen at bedside")
    assert (record["actorRef"], record["actorRole"]) == ("nurse-7", "clinician")
    assert record["occurredAtMs"] == NOW_MS + 1
    assert record["previous"] == alarm_document(before, SubjectId("p-0042"))
    assert record["current"] == alarm_document(after, SubjectId("p-0042"))


def test_a_record_rests_on_a_packet_and_an_assessment():
    record = an_event().record()

    assert record["packetId"] == f"seoul-01:bed-12:{NOW_MS}"
    assert record["assessment"]["components"]["spo2"] == 3
    assert record["assessment"]["missing"] == tuple(name for name in SEVEN if name != "spo2")
    assert record["assessment"]["modelVersion"] == "news2-2017/1"


def test_a_record_has_every_field_that_an_auditor_asks_for():
    fields = {
        "eventId",
        "alarmId",
        "subjectId",
        "encounterId",
        "siteId",
        "action",
        "actorRef",
        "actorRole",
        "reason",
        "occurredAtMs",
        "previous",
        "current",
        "packetId",
        "assessment",
        "modelName",
        "modelVersion",
        "policyVersion",
        "requestId",
    }

    record = an_event().record()

    assert fields - record.keys() == set()


def test_an_assessment_in_a_record_says_of_when_it_is():
    record = an_event().record()

    assert record["assessment"].get("asOfMs") == NOW_MS


def test_the_system_is_the_actor_unless_somebody_is_named():
    record = an_event().record()

    assert (record["actorRef"], record["actorRole"]) == ("system", "system")


@pytest.mark.parametrize(
    ("previous", "current"),
    [(None, an_alarm()), (an_alarm(), None), (an_alarm(), an_alarm(stale=True))],
)
def test_a_record_names_its_alarm_before_and_after_it_existed(previous, current):
    event = an_event(change=Transition(AlarmAction.RESOLVED, "rule", previous, current))

    record = event.record()

    assert record["alarmId"] == "p-0042:news2-medium"
    assert (record["previous"] is None) is (previous is None)
    assert (record["current"] is None) is (current is None)


def test_a_chain_begins_with_nothing_and_counts_without_a_gap():
    events = [an_event(n) for n in (1, 2, 3)]

    links = chain(CHAIN_START, events)

    assert (CHAIN_START.seq, CHAIN_START.hash) == (0, "0" * 64)
    assert [link.seq for link in links] == [1, 2, 3]
    assert len({link.hash for link in links}) == 3
    assert all(len(link.hash) == 64 for link in links)


def test_a_chain_goes_on_where_it_stopped():
    events = [an_event(n) for n in (1, 2, 3)]

    first = chain(CHAIN_START, events[:1])
    rest = chain(first[-1], events[1:])

    assert first + rest == chain(CHAIN_START, events)


def test_no_event_adds_no_link():
    assert chain(Link(7, "ab" * 32), []) == []


def test_a_chain_read_from_the_database_is_intact():
    records = chained([an_event(n) for n in (1, 2, 3)])

    assert intact(records)


def change_a_reason(records: Chained) -> Chained:
    (record, noted), *rest = records
    return [({**record, "reason": "another"}, noted), *rest]


def change_a_detail(records: Chained) -> Chained:
    first, (record, noted), *rest = records
    current = {**record["current"], "acknowledgedBy": "nurse-7"}
    return [first, ({**record, "current": current}, noted), *rest]


def change_a_hash(records: Chained) -> Chained:
    (record, noted), *rest = records
    return [(record, noted[::-1]), *rest]


def change_and_rehash(records: Chained) -> Chained:
    (record, _), *rest = records
    changed = {**record, "reason": "another"}
    return [(changed, chain_hash(CHAIN_START.hash, changed)), *rest]


def remove_the_first(records: Chained) -> Chained:
    return records[1:]


def remove_from_the_middle(records: Chained) -> Chained:
    return records[:1] + records[2:]


def insert_a_stranger(records: Chained) -> Chained:
    stranger = stored(an_event(9))
    return [records[0], (stranger, chain_hash(records[0][1], stranger)), *records[1:]]


def insert_again(records: Chained) -> Chained:
    return [records[0], records[0], *records[1:]]


def swap_two(records: Chained) -> Chained:
    first, second, *rest = records
    return [second, first, *rest]


def swap_two_and_leave_their_hashes(records: Chained) -> Chained:
    (first, one), (second, other), *rest = records
    return [(second, one), (first, other), *rest]


@pytest.mark.parametrize(
    "tamper",
    [
        change_a_reason,
        change_a_detail,
        change_a_hash,
        change_and_rehash,
        remove_the_first,
        remove_from_the_middle,
        insert_a_stranger,
        insert_again,
        swap_two,
        swap_two_and_leave_their_hashes,
    ],
)
def test_a_chain_that_was_tampered_with_is_noticed(tamper: Callable[[Chained], Chained]):
    records = chained([an_event(n) for n in (1, 2, 3, 4)])

    tampered = tamper(records)

    assert intact(records)
    assert not intact(tampered)


@sometimes
@given(st.permutations(range(1, 6)), st.integers(0, 6))
def test_any_other_order_and_any_gap_before_the_end_is_noticed(order, removed):
    records = chained([an_event(n) for n in range(1, 6)])
    shuffled = [records[n - 1] for n in order if n != removed]

    prefix = shuffled == records[: len(shuffled)]

    assert intact(shuffled) is prefix


def test_each_site_has_a_chain_of_its_own_and_sites_stand_in_order():
    events = [an_event(1, "seoul-02"), an_event(2, "busan-01"), an_event(3, "seoul-02")]

    chains = by_site(events)

    assert list(chains) == ["busan-01", "seoul-02"]
    assert [event.event_id for event in chains["seoul-02"]] == ["p-0042:1.1", "p-0042:3.1"]
