"""Alarms: what a clinician does about one, and what was done."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict, Field

from vitalrelay.adapters.inbound.http.actions import (
    ActorIn,
    Words,
    act,
    answer_response,
    answered_with,
    body_of,
    described,
)
from vitalrelay.adapters.inbound.http.cursors import next_link, read_cursor, write_cursor
from vitalrelay.adapters.inbound.http.documents import json_response
from vitalrelay.adapters.inbound.http.openapi import problems
from vitalrelay.adapters.inbound.http.problems import RequestRefused
from vitalrelay.adapters.inbound.http.services import OfApp
from vitalrelay.domain.actions import Acknowledge, Mute
from vitalrelay.domain.chain_check import StoredEvent
from vitalrelay.domain.document import Document
from vitalrelay.domain.errors import Fault
from vitalrelay.domain.fingerprint import LARGEST_EXACT
from vitalrelay.ports.audit_trail import AuditPlace

router = APIRouter(prefix="/v1/alarms", tags=["alarms"])

Limit = Annotated[int, Query(ge=1, le=500)]
ACTION_PROBLEMS = problems(400, 404, 408, 409, 413, 415, 422, 503)

ALARM = {
    "alarmId": "p-0042:news2-high",
    "condition": "news2-high",
    "kind": "physiological",
    "priority": "high",
    "state": "acknowledged",
    "sinceMs": 1767225600000,
    "acknowledgedBy": "nurse-7",
    "mutedUntilMs": None,
    "stale": False,
    "known": ["heart_rate", "respiratory_rate", "spo2"],
}
UNSEEN = ALARM | {"state": "active", "acknowledgedBy": None}
MUTED = UNSEEN | {"mutedUntilMs": 1767226260000}
ANSWER = {
    "outcome": "done",
    "alarmId": "p-0042:news2-high",
    "alarm": ALARM,
    "eventId": "p-0042:43.1",
    "projection": {"projectionId": "monitoring-snapshot:p-0042", "version": 43},
}
EVENT = {
    "eventId": "p-0042:43.1",
    "alarmId": "p-0042:news2-high",
    "subjectId": "p-0042",
    "encounterId": "e-0042-1",
    "siteId": "seoul-01",
    "action": "acknowledged",
    "actorRef": "nurse-7",
    "actorRole": "clinician",
    "reason": "seen at bedside",
    "occurredAtMs": 1767225660000,
    "clientTimeMs": 1767225659800,
    "previous": UNSEEN,
    "current": ALARM,
    "packetId": None,
    "assessment": {
        "modelName": "news2",
        "modelVersion": "news2-2017/1",
        "horizon": "current",
        "riskLevel": "high",
        "score": 9,
        "scoreUpperBound": 12,
        "completeness": "partial",
        "missing": ["temperature"],
        "components": {"respiratory_rate": 3, "spo2": 3, "heart_rate": 3},
        "sources": {"spo2": {"code": "spo2", "measuredAtMs": 1767225600000}},
        "anyThree": True,
        "clinicianReviewRequired": True,
        "asOfMs": 1767225600000,
    },
    "modelName": "news2",
    "modelVersion": "news2-2017/1",
    "policyVersion": "signals-1+alarms-1",
    "requestId": "0f8c44",
    "seq": 7,
    "previousHash": "0" * 64,
    "hash": "1" * 64,
}


class AcknowledgeIn(ActorIn):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"actorRef": "nurse-7", "reason": "seen at bedside"}]}
    )

    reason: Words


class MuteIn(AcknowledgeIn):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"actorRef": "nurse-7", "reason": "probe off", "durationSeconds": 600}]
        }
    )

    duration_seconds: Annotated[int, Field(ge=1)]


@router.post(
    "/{alarm_id}/acknowledge",
    operation_id="acknowledgeAlarm",
    openapi_extra=described(AcknowledgeIn),
    responses=answered_with(ANSWER) | ACTION_PROBLEMS,
)
async def acknowledge(
    alarm_id: str,
    body: Annotated[AcknowledgeIn, Depends(body_of(AcknowledgeIn))],
    request: Request,
    of: OfApp,
) -> Response:
    """Seen, acting. It ends with the episode; a second time is 200 and nothing new."""
    action = Acknowledge(about=alarm_id, reason=body.reason)
    return answer_response(alarm_out(await act(of, request, action, body)))


@router.post(
    "/{alarm_id}/mute",
    operation_id="muteAlarm",
    openapi_extra=described(MuteIn),
    responses=answered_with(ANSWER | {"alarm": MUTED}) | ACTION_PROBLEMS,
)
async def mute(
    alarm_id: str, body: Annotated[MuteIn, Depends(body_of(MuteIn))], request: Request, of: OfApp
) -> Response:
    """Quiet for a while, and in sight; it ends by itself, by the server's clock."""
    if body.duration_seconds > of.longest_mute_s:
        fault = Fault("/durationSeconds", f"must be from 1 to {of.longest_mute_s}")
        raise RequestRefused("invalid-request", "", faults=[fault])
    for_ms = body.duration_seconds * 1000
    action = Mute(about=alarm_id, reason=body.reason, for_ms=for_ms)
    return answer_response(alarm_out(await act(of, request, action, body)))


@router.get(
    "/{alarm_id}/audit-events",
    operation_id="listAuditEvents",
    responses=answered_with({"items": [EVENT], "next": None}, "A page of them.")
    | problems(404, 422, 503),
)
async def list_audit_events(
    request: Request, alarm_id: str, of: OfApp, limit: Limit = 100, cursor: str | None = None
) -> Response:
    """Everything that happened to it, newest first: who, why, and its state before and after."""
    before = None if cursor is None else place_of(cursor)
    page = await of.reviews.audit_of(alarm_id, limit, before)
    end = page.then
    then = None if end is None else write_cursor(end.occurred_ms, end.seq)
    items = [event_out(event) for event in page.events]
    return json_response({"items": items, "next": then}, next_link(request, then))


def place_of(cursor: str) -> AuditPlace:
    """Raises RequestRefused for a place where no record can be."""
    place = AuditPlace(*read_cursor(cursor, int, int))
    if not (0 <= place.occurred_ms < LARGEST_EXACT and 0 < place.seq < LARGEST_EXACT):
        raise RequestRefused("invalid-request", "The cursor is not one of ours.")
    return place


def alarm_out(answer: Document) -> dict[str, Any]:
    return {
        "outcome": answer["outcome"],
        "alarmId": answer["about"],
        "alarm": answer["thing"],
        "eventId": answer["eventId"],
        "projection": answer["projection"],
    }


def event_out(event: StoredEvent) -> dict[str, Any]:
    return {
        **event.record,
        "seq": event.seq,
        "previousHash": event.previous_hash,
        "hash": event.hash,
    }
