"""
The fold is a function of the set of stored packets: no order of arrival, no cutting into batches
and no stay in the database can be told from the result.
"""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.strategies import batched, cuts, often, sometimes, split, stored_packets
from tests.unit.domain.ward import Ward, ward_after
from vitalrelay.domain.news2 import News2
from vitalrelay.domain.packet import Quality, Received
from vitalrelay.domain.signals import Reading, read
from vitalrelay.domain.snapshot import Encounter, Moment, Vital, folded

Entry = tuple[Moment, Reading]


def by_the_rules(packets: list[Received]) -> Encounter:
    """The current encounter straight from section 3: the whole set at once, nothing folded."""
    newest = max(packets, key=packet_moment)
    stay = [r for r in packets if r.packet.encounter == newest.packet.encounter]
    entries = [
        (s.code, Moment(min(s.measured_ms, r.at_ms), r.packet.id), read(s))
        for r in stay
        for s in r.packet.signals
    ]
    codes = {code for code, _, _ in entries}
    return Encounter(
        id=newest.packet.encounter,
        newest=packet_moment(newest),
        as_of=max([*map(packet_moment, stay), *(moment for _, moment, _ in entries)]),
        vitals={code: vital_of([e[1:] for e in entries if e[0] == code]) for code in codes},
    )


def packet_moment(received: Received) -> Moment:
    return Moment(min(received.packet.timestamp_ms, received.at_ms), received.packet.id)


def vital_of(entries: list[Entry]) -> Vital:
    shown = newest_of(entries)
    values = {r.value for moment, r in entries if moment.at_ms == shown.moment.at_ms}
    good = [entry for entry in entries if entry[1].quality is Quality.GOOD]
    return Vital(
        shown.value,
        shown.unit,
        shown.moment,
        shown.quality,
        shown.quality_reason,
        conflict=len(values) > 1,
        last_good=newest_of(good) if good and shown.quality is not Quality.GOOD else None,
    )


def newest_of(entries: list[Entry]) -> Vital:
    moment, reading = max(entries, key=lambda entry: entry[0])  # the first one of equal moments
    return Vital(reading.value, reading.unit, moment, reading.quality, reading.quality_reason)


@often
@given(stored_packets(), st.data())
def test_any_order_in_any_batches_ends_in_what_the_rules_say(packets, data):
    expected = by_the_rules(packets)

    shown = ward_after(*data.draw(batched(packets))).snapshot()

    assert shown.encounter == expected
    assert shown.assessment == News2()(expected)


@often
@given(stored_packets(), st.data())
def test_no_two_orders_can_be_told_apart_from_the_document(packets, data):
    one = ward_after(*data.draw(batched(packets)))

    another = ward_after(*data.draw(batched(packets)))

    assert function_of_the_packets(one) == function_of_the_packets(another)


def function_of_the_packets(ward: Ward) -> dict[str, object]:
    """Everything of the document but alarms and review: those record what we knew when."""
    return {
        name: value
        for name, value in json.loads(ward.text).items()
        if name not in ("alarms", "resting", "review", "monitored")
    }


@sometimes
@given(stored_packets(), st.data())
def test_alarms_do_not_depend_on_which_packets_shared_a_transaction(packets, data):
    alone = ward_after(*([packet] for packet in packets))

    together = ward_after(*split(packets, data.draw(cuts(len(packets)))))

    assert together.text == alone.text
    assert together.transitions == alone.transitions


@sometimes
@given(stored_packets(encounters=("e-1",)), st.data())
def test_a_packet_taken_in_twice_changes_nothing(packets, data):
    again = [*packets, *data.draw(st.lists(st.sampled_from(packets)))]

    stay = folded(again)

    assert stay == folded(packets)


@sometimes
@given(stored_packets(), st.data())
def test_no_packet_takes_time_or_version_back(packets, data):
    ward = Ward(packets[0].packet.subject)
    seen = []

    for batch in data.draw(batched(packets)):
        ward.ingest(batch)
        stay = ward.snapshot().encounter
        seen.append((ward.version, stay.newest))

    assert [version for version, _ in seen] == list(range(1, len(seen) + 1))
    assert [moment for _, moment in seen] == sorted(moment for _, moment in seen)
