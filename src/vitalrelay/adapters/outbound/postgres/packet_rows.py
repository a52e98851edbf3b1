"""A stored packet, and back: the payload holds everything that was sent."""

from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping

from vitalrelay.domain.document import parse_document
from vitalrelay.domain.packet import (
    EncounterId,
    Packet,
    PacketId,
    Quality,
    Received,
    Signal,
    SubjectId,
)


def received_from(row: RowMapping) -> Received:
    """Of a row with packet_id, payload (text) and received_ms."""
    return Received(packet_from(row["packet_id"], row["payload"]), row["received_ms"])


def packet_from(packet_id: str, payload: str) -> Packet:
    content = parse_document(payload)
    timestamp_ms = content["timestampMs"]
    return Packet(
        id=PacketId(packet_id),
        site=content["siteId"],
        device=content["deviceId"],
        subject=SubjectId(content["subjectId"]),
        encounter=EncounterId(content["encounterId"]),
        timestamp_ms=timestamp_ms,
        sequence=content.get("sequence"),
        signals=tuple(_signal_from(signal, timestamp_ms) for signal in content["signals"]),
    )


def _signal_from(content: dict[str, Any], timestamp_ms: int) -> Signal:
    value = content["value"]
    return Signal(
        content["code"],
        Decimal(value) if type(value) is int else value,
        content.get("unit"),
        content.get("measuredAtMs", timestamp_ms),
        Quality(content.get("quality", Quality.GOOD)),
    )
