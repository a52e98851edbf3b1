"""The document: the way there and back loses nothing, and screens find what the contract says."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support import (
    HOUR_MS,
    NOW_MS,
    SEVEN,
    a_review_item,
    a_signal,
    a_snapshot,
    an_alarm,
    received,
    reread,
)
from tests.unit.domain.strategies import sometimes, stored_packets
from tests.unit.domain.ward import ward_after
from vitalrelay.domain.alarms import AlarmState
from vitalrelay.domain.assessment import RiskLevel
from vitalrelay.domain.document import document_of, parse_document, without_envelope
from vitalrelay.domain.fingerprint import canonical_json
from vitalrelay.domain.packet import Quality
from vitalrelay.domain.review import ReviewState
from vitalrelay.domain.snapshot import Snapshot

# From design/contract.md, section 2, without the envelope: what clients rely on.
CONTRACT = {
    "schema": "monitoring-snapshot/1",
    "subjectId": "p-0042",
    "encounterId": "e-0042-1",
    "siteId": "seoul-01",
    "asOfMs": 1767225600000,
    "lastPacketId": "seoul-01:bed-12:1767225600000",
    "vitals": {
        "heart_rate": {
            "value": 81,
            "unit": "/min",
            "measuredAtMs": 1767225600000,
            "packetId": "seoul-01:bed-12:1767225600000",
            "quality": "good",
        },
    },
    "assessment": {
        "modelName": "news2",
        "modelVersion": "news2-2017/1",
        "horizon": "current",
        "riskLevel": "low",
        "score": 1,
        "scoreUpperBound": 4,
        "completeness": "partial",
        "missing": ["temperature"],
        "components": {"heart_rate": 0, "spo2": 0},
        "anyThree": False,
        "clinicianReviewRequired": False,
    },
    "alarms": [
        {
            "alarmId": "p-0042:news2-high",
            "condition": "news2-high",
            "kind": "physiological",
            "priority": "high",
            "state": "active",
            "sinceMs": 1767225600000,
            "acknowledgedBy": None,
            "mutedUntilMs": None,
        }
    ],
}


@st.composite
def snapshots(draw) -> Snapshot:
    """What packets made of a patient, and what people did about it."""
    shown = ward_after(draw(stored_packets())).snapshot()
    review = draw(st.none() | st.builds(a_review_item, known=some_known, state=review_states))
    return replace(
        shown,
        version=draw(st.integers(1, 2**40)),
        alarms=(*shown.alarms, *draw(st.lists(alarms, max_size=2))),
        review=review or shown.review,
    )


some_known = st.sets(st.sampled_from(SEVEN))
review_states = st.sampled_from(ReviewState)
alarms = st.builds(
    an_alarm,
    name=st.sampled_from(["news2-high", "news2-medium", "vital-red:spo2", "clock-suspect"]),
    state=st.sampled_from(AlarmState),
    since_ms=st.integers(0, NOW_MS),
    known=some_known,
    muted_until_ms=st.none() | st.integers(0, NOW_MS),
    stale=st.booleans(),
)


@sometimes
@given(snapshots())
def test_nothing_of_a_snapshot_is_lost_in_the_document(snapshot):
    back = reread(snapshot)

    assert back == snapshot
    assert canonical_json(document_of(back)) == canonical_json(document_of(snapshot))


def test_the_newest_packet_and_the_newest_time_come_back_as_two_things():
    signal_ahead = a_signal("spo2", 96, measured_ms=NOW_MS + 1)
    snapshot = a_snapshot(received(signal_ahead, at_ms=NOW_MS, received_ms=NOW_MS + HOUR_MS))

    stay = reread(snapshot).encounter

    assert (stay.newest.at_ms, stay.as_of.at_ms) == (NOW_MS, NOW_MS + 1)


def test_a_snapshot_comes_back_with_numbers_the_domain_can_score():
    snapshot = a_snapshot(heart_rate=81, temperature=36.8, spo2_scale=2)

    vitals = reread(snapshot).encounter.vitals

    assert {code: vital.value for code, vital in vitals.items()} == {
        "heart_rate": Decimal(81),
        "temperature": Decimal("36.8"),
        "spo2_scale": Decimal(2),
    }
    assert all(type(vital.value) is Decimal for vital in vitals.values())


@pytest.mark.parametrize("sent", ["1e300", "-1e22", "9007199254740993", "123456789012345678"])
def test_a_number_that_the_database_spells_out_keeps_its_canonical_form(sent):
    canonical = canonical_json({"value": Decimal(sent)})
    spelled_out = f'{{"value": {Decimal(json.loads(canonical, parse_float=Decimal)["value"]):f}}}'

    back = parse_document(spelled_out)

    assert canonical_json(back) == canonical


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_does_not_come_back_as_a_number(value):
    snapshot = a_snapshot(supplemental_oxygen=value)

    vital = reread(snapshot).encounter.vitals["supplemental_oxygen"]

    assert vital.value is value


def test_every_field_of_the_contract_is_there_and_of_its_kind():
    packet = received(
        encounter="e-0042-1", heart_rate=81, spo2=96.1, supplemental_oxygen=False, consciousness="A"
    )
    snapshot = replace(a_snapshot(packet), alarms=(an_alarm("news2-high"),))

    document = json.loads(canonical_json(document_of(snapshot)))

    assert lacking(CONTRACT, document) == []
    assert document["vitals"]["heart_rate"] == CONTRACT["vitals"]["heart_rate"]
    for name in ("schema", "subjectId", "encounterId", "siteId", "asOfMs", "lastPacketId"):
        assert document[name] == CONTRACT[name]


def lacking(expected: object, actual: object, where: str = "") -> list[str]:
    """Where the kinds differ, or a member is not there; members may be added."""
    if type(expected) is not type(actual):
        return [where]
    if isinstance(expected, dict):
        members = [(name, value, actual.get(name, ...)) for name, value in expected.items()]
    elif isinstance(expected, list):
        members = [(f"{n}", expected[0], member) for n, member in enumerate(actual)]
    else:
        members = []
    return [found for name, *pair in members for found in lacking(*pair, f"{where}/{name}")]


def test_the_envelope_is_no_part_of_what_is_fingerprinted():
    document = document_of(a_snapshot(heart_rate=81))
    enveloped = {"incarnation": 1, "version": 42, "fingerprint": "sha256:…"} | document

    assert document.keys().isdisjoint({"incarnation", "version", "fingerprint"})
    assert without_envelope(enveloped) == document


def test_a_good_value_is_shown_without_a_word_on_its_quality():
    document = document_of(a_snapshot(spo2=96))

    assert document["vitals"]["spo2"].keys() == {
        "value",
        "unit",
        "measuredAtMs",
        "packetId",
        "quality",
    }


def test_a_drop_out_is_shown_with_its_reason_and_the_last_good_value():
    good, slipped = received(at_ms=NOW_MS, spo2=91), received(at_ms=NOW_MS + 1, spo2=0)

    document = document_of(a_snapshot(good, slipped))

    assert document["vitals"]["spo2"] == {
        "value": 0,
        "unit": "%",
        "measuredAtMs": NOW_MS + 1,
        "packetId": slipped.packet.id,
        "quality": "invalid",
        "qualityReason": "not-measured",
        "lastGood": {
            "value": 91,
            "unit": "%",
            "measuredAtMs": NOW_MS,
            "packetId": good.packet.id,
            "quality": "good",
        },
    }


def test_a_conflict_and_the_devices_doubt_are_shown():
    doubtful = a_signal("spo2", 91, quality=Quality.QUESTIONABLE)

    document = document_of(a_snapshot(received(doubtful, spo2=96)))

    vital = document["vitals"]["spo2"]
    assert (vital["value"], vital["conflict"]) == (91, True)
    assert (vital["quality"], vital["qualityReason"]) == ("questionable", "device")
    assert vital["lastGood"]["value"] == 96


def test_a_converted_value_is_shown_in_its_canonical_unit():
    document = document_of(a_snapshot(received(a_signal("temperature", 99.5, "[degF]"))))

    vital = document["vitals"]["temperature"]
    assert (vital["value"], vital["unit"]) == (Decimal("37.5"), "Cel")


def test_the_assessment_names_the_signal_behind_each_component():
    document = document_of(a_snapshot(received(at_ms=NOW_MS, pulse_rate=95)))

    assert document["assessment"]["components"] == {"heart_rate": 1}
    assert document["assessment"]["sources"] == {
        "heart_rate": {"code": "pulse_rate", "measuredAtMs": NOW_MS}
    }


def test_where_nothing_is_known_there_is_no_score_to_read():
    document = json.loads(canonical_json(document_of(a_snapshot(perfusion_index=3))))

    assert document["assessment"]["score"] is None
    assert document["assessment"]["scoreUpperBound"] == 20
    assert document["assessment"]["riskLevel"] == "unknown"


def test_an_alarm_is_shown_as_people_left_it():
    alarm = an_alarm(
        "news2-high",
        AlarmState.ACKNOWLEDGED,
        acknowledged_by="nurse-9",
        muted_until_ms=NOW_MS + HOUR_MS,
        stale=True,
    )

    document = document_of(replace(a_snapshot(heart_rate=81), alarms=(alarm,)))

    [shown] = document["alarms"]
    assert (shown["state"], shown["acknowledgedBy"]) == ("acknowledged", "nurse-9")
    assert (shown["mutedUntilMs"], shown["stale"]) == (NOW_MS + HOUR_MS, True)


def test_a_review_item_is_shown_once_there_is_one():
    without = a_snapshot(heart_rate=81)
    item = a_review_item(RiskLevel.HIGH, encounter="e-1")

    document = document_of(replace(without, review=item))

    assert "review" not in document_of(without)
    assert document["review"]["reviewItemId"] == "review:e-1"
    assert (document["review"]["priority"], document["review"]["state"]) == ("high", "open")
