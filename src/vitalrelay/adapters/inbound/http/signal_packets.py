"""Packets: one by one, and as they were sent."""

from typing import Annotated, Any, assert_never

from fastapi import APIRouter, Query, Request, Response

from vitalrelay.adapters.inbound.http.bodies import (
    require_identity,
    require_media_type,
    whole_body,
)
from vitalrelay.adapters.inbound.http.cursors import next_link, read_cursor, write_cursor
from vitalrelay.adapters.inbound.http.documents import json_of, json_response
from vitalrelay.adapters.inbound.http.front_door import JSON, Prepared
from vitalrelay.adapters.inbound.http.openapi import PACKET_BODY, problems
from vitalrelay.adapters.inbound.http.packet_in import read_packet
from vitalrelay.adapters.inbound.http.services import OfApp, services
from vitalrelay.domain.errors import PacketConflict
from vitalrelay.domain.packet import PacketId, Received, SubjectId
from vitalrelay.domain.projection import projection_id
from vitalrelay.domain.receipt import Conflict, Receipt, Stored
from vitalrelay.ports.records import PacketCursor

router = APIRouter(tags=["packets"])
front = APIRouter(tags=["packets"])

Limit = Annotated[int, Query(ge=1, le=500)]


@front.post(
    "/v1/signal-packets",
    status_code=201,
    operation_id="postSignalPacket",
    openapi_extra=PACKET_BODY,
    responses=problems(400, 408, 409, 413, 415, 422, 503),
)
async def post_packet(request: Request) -> Response:
    """Keep a packet. 201: it is safe with us. 200: it already was."""
    of = await services(request)
    require_media_type(request, "application/json")
    require_identity(request)
    raw = await whole_body(request)
    async with of.admission:
        receipt = await of.commits.commit(read_packet(raw, of.simulated_allowed))
    of.metrics.packets.labels(outcome(receipt)).inc()
    match receipt:
        case Stored():
            status = 200 if receipt.duplicate else 201
            return Prepared(status, JSON, json_of(receipt_out(receipt)).encode())
        case Conflict():
            raise PacketConflict
        case _:
            assert_never(receipt)


@router.get(
    "/v1/signal-packets/{packet_id}",
    operation_id="getSignalPacket",
    responses=problems(404, 503),
)
async def get_packet(packet_id: str, of: OfApp) -> Response:
    """One packet as it was sent, and when it was received."""
    return json_response(packet_out(await of.records.packet(PacketId(packet_id))))


@router.get(
    "/v1/subjects/{subject_id}/signal-packets",
    operation_id="listSignalPackets",
    responses=problems(404, 422, 503),
)
async def list_packets(
    request: Request, subject_id: str, of: OfApp, limit: Limit = 100, cursor: str | None = None
) -> Response:
    """A patient's packets, newest first, a page at a time."""
    before = None
    if cursor is not None:
        timestamp_ms, packet = read_cursor(cursor, int, str)
        before = PacketCursor(timestamp_ms, PacketId(packet))
    page = await of.records.packets_of(SubjectId(subject_id), limit, before)
    end = page.then
    then = None if end is None else write_cursor(end.timestamp_ms, end.packet)
    items = [packet_out(received) for received in page.packets]
    return json_response({"items": items, "next": then}, next_link(request, then))


def outcome(receipt: Receipt) -> str:
    if isinstance(receipt, Conflict):
        return "conflict"
    return "duplicate" if receipt.duplicate else "stored"


def receipt_out(receipt: Stored) -> dict[str, Any]:
    standing = receipt.standing
    assessment = standing.assessment
    return {
        "outcome": "duplicate" if receipt.duplicate else "stored",
        "packetId": receipt.packet,
        "subjectId": receipt.subject,
        "receivedAtMs": receipt.received_ms,
        "clockSuspect": receipt.clock_suspect,
        "projection": {
            "projectionId": projection_id(receipt.subject),
            "version": standing.version,
            "fingerprint": standing.fingerprint,
        },
        "assessment": {
            "modelName": assessment.model_name,
            "riskLevel": assessment.risk_level,
            "score": assessment.score,
            "completeness": assessment.completeness,
            "missing": assessment.missing,
        },
    }


def packet_out(received: Received) -> dict[str, Any]:
    return {
        "packetId": received.packet.id,
        "receivedAtMs": received.at_ms,
        "clockSuspect": received.clock_suspect,
        **received.packet.content(),
    }
