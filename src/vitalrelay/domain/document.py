"""The snapshot as screens read it, and back: nothing of a snapshot is kept anywhere else."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from vitalrelay.domain.alarms import (
    Alarm,
    AlarmKind,
    AlarmPriority,
    Alarms,
    AlarmState,
    Condition,
    Return,
    alarm_id,
)
from vitalrelay.domain.assessment import Assessment, Completeness, RiskLevel, Source
from vitalrelay.domain.packet import EncounterId, PacketId, Quality, SubjectId
from vitalrelay.domain.review import ReviewItem, ReviewState
from vitalrelay.domain.snapshot import Encounter, Moment, Snapshot, Vital

SCHEMA = "monitoring-snapshot/1"
ENVELOPE = ("incarnation", "version", "fingerprint")

Document = Mapping[str, Any]


def document_of(snapshot: Snapshot) -> Document:
    """The document without its envelope: what the fingerprint covers. Times in milliseconds."""
    encounter = snapshot.encounter
    assert encounter is not None, "nothing is known of this patient"
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "subjectId": snapshot.subject,
        "encounterId": encounter.id,
        "siteId": encounter.as_of.site,
        "asOfMs": encounter.as_of.at_ms,
        "lastPacketId": encounter.as_of.packet,
        "newestPacket": moment_document(encounter.newest),
        "vitals": {code: vital_document(vital) for code, vital in encounter.vitals.items()},
        "assessment": snapshot.assessment and assessment_document(snapshot.assessment),
        "alarms": _alarms(snapshot.alarms, snapshot.subject),
    }
    if snapshot.review is not None:
        document["review"] = review_document(snapshot.review)
    if snapshot.resting:
        document["resting"] = _alarms(snapshot.resting, snapshot.subject)
    if not snapshot.monitored:
        document["monitored"] = False
    return document


def _alarms(alarms: Alarms, subject: SubjectId) -> list[Document]:
    return [alarm_document(alarm, subject) for alarm in alarms]


def _whole(digits: str) -> int | Decimal:
    """PostgreSQL spells 1e300 out; as an int it would have another canonical form."""
    return int(digits) if len(digits) < LONG_NUMBER else Decimal(digits)


LONG_NUMBER = 16  # digits and sign: what is shorter is below 2^53
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_whole)


def parse_document(text: str) -> dict[str, Any]:
    """A JSON object with its numbers as the domain reads them: ``int`` or ``Decimal``."""
    document = _DECODER.decode(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def with_envelope(text: str, incarnation: int, version: int, fingerprint: str) -> str:
    """
    The document as it is shown, spliced and not parsed: nobody pays twice for what was written.

    The envelope stands first, where the publish script looks for it. ``text`` is a JSON object
    with at least one member.
    """
    return (
        f'{{"incarnation":{incarnation},"version":{version},'
        f'"fingerprint":"{fingerprint}",{text.lstrip()[1:]}'
    )


def without_envelope(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in ENVELOPE}


def moment_document(moment: Moment) -> Document:
    return {"atMs": moment.at_ms, "packetId": moment.packet}


def vital_document(vital: Vital) -> Document:
    document: dict[str, Any] = {
        "value": vital.value,
        "unit": vital.unit,
        "measuredAtMs": vital.moment.at_ms,
        "packetId": vital.moment.packet,
        "quality": vital.quality,
    }
    if vital.quality_reason is not None:
        document["qualityReason"] = vital.quality_reason
    if vital.conflict:
        document["conflict"] = True
    if vital.last_good is not None:
        document["lastGood"] = vital_document(vital.last_good)
    return document


def assessment_document(assessment: Assessment) -> Document:
    return {
        "modelName": assessment.model_name,
        "modelVersion": assessment.model_version,
        "horizon": assessment.horizon,
        "riskLevel": assessment.risk_level,
        "score": assessment.score,
        "scoreUpperBound": assessment.upper_bound,
        "completeness": assessment.completeness,
        "missing": assessment.missing,
        "components": assessment.components,
        "sources": {
            name: {"code": source.code, "measuredAtMs": source.measured_ms}
            for name, source in assessment.sources.items()
        },
        "anyThree": assessment.any_three,
        "clinicianReviewRequired": assessment.review_required,
    }


def alarm_document(alarm: Alarm, subject: SubjectId) -> Document:
    """``endedMs`` and ``returned`` only while its condition may return, or did so in silence."""
    document: dict[str, Any] = {
        "alarmId": alarm_id(subject, alarm.name),
        "condition": alarm.name,
        "kind": alarm.condition.kind,
        "priority": alarm.condition.priority,
        "state": alarm.state,
        "sinceMs": alarm.since_ms,
        "acknowledgedBy": alarm.acknowledged_by,
        "mutedUntilMs": alarm.muted_until_ms,
        "stale": alarm.stale,
        "known": sorted(alarm.known),
    }
    if alarm.ended_ms is not None:
        document["endedMs"] = alarm.ended_ms
    if alarm.returned is not None:
        document["returned"] = {"atMs": alarm.returned.at_ms, "told": alarm.returned.told}
    return document


def review_document(item: ReviewItem) -> Document:
    return {
        "reviewItemId": item.id,
        "encounterId": item.encounter,
        "priority": item.priority,
        "state": item.state,
        "updatedMs": item.updated_ms,
        "known": sorted(item.known),
        "resolvedBy": item.resolved_by,
    }


def snapshot_from(document: Document, version: int) -> Snapshot:
    """The way back; numbers in the document must be ``int`` or ``Decimal``."""
    review = document.get("review")
    assessment = document["assessment"]
    return Snapshot(
        subject=SubjectId(document["subjectId"]),
        version=version,
        encounter=Encounter(
            id=EncounterId(document["encounterId"]),
            newest=_moment_from(document["newestPacket"]),
            as_of=Moment(document["asOfMs"], PacketId(document["lastPacketId"])),
            vitals={code: _vital_from(vital) for code, vital in document["vitals"].items()},
        ),
        assessment=assessment and assessment_from(assessment),
        alarms=tuple(map(_alarm_from, document["alarms"])),
        resting=tuple(map(_alarm_from, document.get("resting", ()))),
        review=review and _review_from(review),
        monitored=document.get("monitored", True),
    )


def _moment_from(document: Document) -> Moment:
    return Moment(document["atMs"], PacketId(document["packetId"]))


def _vital_from(document: Document) -> Vital:
    value = document["value"]
    last_good = document.get("lastGood")
    return Vital(
        Decimal(value) if type(value) is int else value,
        document["unit"],
        Moment(document["measuredAtMs"], PacketId(document["packetId"])),
        Quality(document["quality"]),
        document.get("qualityReason"),
        document.get("conflict", False),
        last_good and _vital_from(last_good),
    )


def assessment_from(document: Document) -> Assessment:
    return Assessment(
        model_name=document["modelName"],
        model_version=document["modelVersion"],
        horizon=document["horizon"],
        risk_level=RiskLevel(document["riskLevel"]),
        score=document["score"],
        upper_bound=document["scoreUpperBound"],
        completeness=Completeness(document["completeness"]),
        missing=tuple(document["missing"]),
        components=document["components"],
        sources={
            name: Source(source["code"], source["measuredAtMs"])
            for name, source in document["sources"].items()
        },
        any_three=document["anyThree"],
        review_required=document["clinicianReviewRequired"],
    )


def _alarm_from(document: Document) -> Alarm:
    returned = document.get("returned")
    return Alarm(
        condition=Condition(
            document["condition"],
            AlarmKind(document["kind"]),
            AlarmPriority(document["priority"]),
        ),
        state=AlarmState(document["state"]),
        since_ms=document["sinceMs"],
        known=frozenset(document["known"]),
        acknowledged_by=document["acknowledgedBy"],
        muted_until_ms=document["mutedUntilMs"],
        stale=document["stale"],
        ended_ms=document.get("endedMs"),
        returned=returned and Return(returned["atMs"], AlarmState(returned["told"])),
    )


def _review_from(document: Document) -> ReviewItem:
    return ReviewItem(
        encounter=EncounterId(document["encounterId"]),
        priority=RiskLevel(document["priority"]),
        state=ReviewState(document["state"]),
        updated_ms=document["updatedMs"],
        known=frozenset(document["known"]),
        resolved_by=document["resolvedBy"],
    )
