"""A packet on the wire: read strictly, told apart from no packet, turned into domain words."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from vitalrelay.adapters.inbound.http.quick_packet import quick_packet, value_of
from vitalrelay.adapters.inbound.http.strict_json import UnusableText, parse
from vitalrelay.domain.errors import Fault, InvalidPacket
from vitalrelay.domain.fingerprint import LARGEST_EXACT
from vitalrelay.domain.packet import (
    ID,
    LAST_MS,
    MAX_SIGNALS,
    RESERVED_SUBJECTS,
    EncounterId,
    Packet,
    Quality,
    Signal,
    SubjectId,
    Value,
    packet_id,
)
from vitalrelay.domain.signals import CATALOGUE, closest_codes

MAX_FAULTS = 16

Id = Annotated[str, StringConstraints(pattern=f"^{ID.pattern}$", max_length=64)]
Milliseconds = Annotated[int, Field(ge=0, le=LAST_MS)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Word = Annotated[str, StringConstraints(max_length=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class SignalIn(_Strict):
    """One measurement. Numbers may leave their unit out: the canonical one is meant."""

    code: Word
    value: bool | int | Finite | Word
    unit: Word | None = None
    measured_at_ms: Milliseconds | None = None
    quality: Literal["good", "questionable", "invalid", "simulated"] = "good"


class PacketIn(_Strict):
    """Signals of one patient from one device, at about one time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "siteId": "seoul-01",
                    "deviceId": "bed-12",
                    "subjectId": "p-0042",
                    "encounterId": "e-0042-1",
                    "timestampMs": 1767225600000,
                    "signals": [
                        {"code": "heart_rate", "value": 81, "unit": "/min"},
                        {"code": "consciousness", "value": "A"},
                    ],
                }
            ]
        }
    )

    site_id: Id
    device_id: Id
    subject_id: Id
    encounter_id: Id | None = None
    timestamp_ms: Milliseconds
    sequence: Annotated[int, Field(ge=0, lt=LARGEST_EXACT)] | None = None
    signals: Annotated[list[SignalIn], Field(min_length=1, max_length=MAX_SIGNALS)]


def read_packet(raw: bytes, simulated_allowed: bool = False) -> Packet:
    """
    One packet from its bytes.

    Raises MalformedJson for what is no JSON, InvalidPacket for what is no packet; neither says
    anything of what was sent.
    """
    return quick_packet(raw) or careful_packet(raw, simulated_allowed)


def careful_packet(raw: bytes, simulated_allowed: bool = False) -> Packet:
    """The same, and what is wrong with it."""
    try:
        packet = PacketIn.model_validate_json(raw)
    except ValidationError as error:
        _require_strict(raw)
        raise InvalidPacket(_faults_of_shape(error)) from None
    _require_strict(raw)
    return _packet_of(packet, simulated_allowed)


def _require_strict(raw: bytes) -> None:
    """The reader of shapes keeps the last of two equal keys, and takes numbers of any length."""
    try:
        parse(raw)
    except UnusableText:
        raise InvalidPacket([Fault("", "has text with NUL or half a surrogate pair")]) from None


def _packet_of(packet: PacketIn, simulated_allowed: bool) -> Packet:
    faults = [Fault("/subjectId", "is a reserved name")] * (packet.subject_id in RESERVED_SUBJECTS)
    signals = []
    for index, signal in enumerate(packet.signals):
        value = value_of(signal.value)
        fault = _signal_fault(signal, value, simulated_allowed)
        if fault is not None:
            faults.append(Fault(f"/signals/{index}/{fault[0]}", fault[1]))
        signals.append(_signal(signal, value, packet.timestamp_ms))
    if faults:
        raise InvalidPacket(faults[:MAX_FAULTS])
    return _packet(packet, tuple(signals))


def _signal_fault(
    signal: SignalIn, value: Value, simulated_allowed: bool
) -> tuple[str, str] | None:
    """What the shape alone cannot tell: the field at fault, and why."""
    kind = CATALOGUE.get(signal.code)
    if kind is None:
        closest = closest_codes(signal.code)
        hint = f"; the closest known are {', '.join(closest)}" if closest else ""
        return "code", f"is not a known signal code{hint}"
    reason = kind.fault(value)
    if reason is not None:
        return "value", reason
    if signal.unit is not None and not kind.takes(signal.unit):
        accepted = ", ".join(kind.units()) or "none"
        return "unit", f"is not a unit of this signal; accepted: {accepted}"
    if signal.quality == "simulated" and not simulated_allowed:
        return "quality", "simulated values are refused here"
    return None


def _packet(packet: PacketIn, signals: tuple[Signal, ...]) -> Packet:
    return Packet(
        id=packet_id(packet.site_id, packet.device_id, packet.timestamp_ms, packet.sequence),
        site=packet.site_id,
        device=packet.device_id,
        subject=SubjectId(packet.subject_id),
        encounter=EncounterId(packet.encounter_id or packet.subject_id),
        timestamp_ms=packet.timestamp_ms,
        sequence=packet.sequence,
        signals=signals,
    )


def _signal(signal: SignalIn, value: Value, timestamp_ms: int) -> Signal:
    measured_ms = timestamp_ms if signal.measured_at_ms is None else signal.measured_at_ms
    return Signal(signal.code, value, signal.unit, measured_ms, _QUALITY[signal.quality])


# Simulated values exist in demos only, and are good ones there.
_QUALITY = {quality.value: quality for quality in Quality} | {"simulated": Quality.GOOD}

_REASONS = {
    "missing": "is required",
    "extra_forbidden": "has a field that is not known here",
    "string_pattern_mismatch": f"must match {ID.pattern}",
    "string_too_long": "is too long",
    "too_short": "must not be empty",
    "too_long": "has too many entries",
    "literal_error": "is not one of the known words",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "greater_than_equal": "must not be negative",
    "int_type": "must be an integer",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def _faults_of_shape(error: ValidationError) -> list[Fault]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return list(dict.fromkeys(map(_fault_of_shape, details[:MAX_FAULTS])))


def _fault_of_shape(detail: ErrorDetails) -> Fault:
    """A pointer made of our own names: an unknown key is the sender's text, and left out."""
    path = detail["loc"]
    if "value" in path:  # what follows names the types that were tried
        pointer = _pointer(path[: path.index("value") + 1])
        return Fault(pointer, "must be a number, true or false, or a short word")
    if detail["type"] == "extra_forbidden":
        path = path[:-1]
    return Fault(_pointer(path), _REASONS.get(detail["type"], "is not what belongs here"))


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{part}" for part in path)
