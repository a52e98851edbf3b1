"""
A packet that is as it should be, straight from its bytes; any other is left to the careful reader.

Nearly all are, and reading them is a good part of what a packet costs.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, MsgspecError, Struct
from msgspec.json import Decoder

from vitalrelay.adapters.inbound.http.strict_json import MAX_DIGITS
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
from vitalrelay.domain.signals import CATALOGUE

Id = Annotated[str, Meta(pattern=rf"^{ID.pattern}\Z")]
Milliseconds = Annotated[int, Meta(ge=0, le=LAST_MS)]


class _Signal(Struct, rename="camel", forbid_unknown_fields=True):
    """None is for what was not sent: a null that was sent makes the count of fields wrong."""

    code: str
    value: bool | int | float | str
    unit: str | None = None
    measured_at_ms: Milliseconds | None = None
    quality: Literal["good", "questionable", "invalid"] | None = None

    @property
    def fields(self) -> int:
        others = (self.unit is not None) + (self.measured_at_ms is not None)
        return 2 + others + (self.quality is not None)


class _Packet(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    site_id: Id
    device_id: Id
    subject_id: Id
    encounter_id: Id | None = None
    timestamp_ms: Milliseconds
    sequence: Annotated[int, Meta(ge=0, lt=LARGEST_EXACT)] | None = None
    signals: Annotated[list[_Signal], Meta(min_length=1, max_length=MAX_SIGNALS)]

    @property
    def fields(self) -> int:
        others = (self.encounter_id is not None) + (self.sequence is not None)
        return 5 + others + sum([signal.fields for signal in self.signals])


_DECODER = Decoder(_Packet)


def quick_packet(raw: bytes) -> Packet | None:
    """What the careful reader would read, or None where only that one can say."""
    try:
        sent = _DECODER.decode(raw)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if sent.subject_id in RESERVED_SUBJECTS or not _surely_strict(raw, sent.fields):
        return None
    signals = tuple([_signal(signal, sent.timestamp_ms) for signal in sent.signals])
    if None in signals:
        return None
    return Packet(
        id=packet_id(sent.site_id, sent.device_id, sent.timestamp_ms, sent.sequence),
        site=sent.site_id,
        device=sent.device_id,
        subject=SubjectId(sent.subject_id),
        encounter=EncounterId(sent.encounter_id or sent.subject_id),
        timestamp_ms=sent.timestamp_ms,
        sequence=sent.sequence,
        signals=signals,  # type: ignore[arg-type]  # None is not among them
    )


def _signal(sent: _Signal, timestamp_ms: int) -> Signal | None:
    kind = CATALOGUE.get(sent.code)
    value = value_of(sent.value)
    if kind is None or kind.fault(value) or not (sent.unit is None or kind.takes(sent.unit)):
        return None
    measured_ms = timestamp_ms if sent.measured_at_ms is None else sent.measured_at_ms
    return Signal(sent.code, value, sent.unit, measured_ms, _QUALITY[sent.quality])


_QUALITY = {None: Quality.GOOD} | {quality.value: quality for quality in Quality}


def value_of(sent: bool | int | float | str) -> Value:
    if isinstance(sent, bool | str):
        return sent
    return number_of(sent)


@lru_cache(16_384, typed=True)  # of all numbers, monitors send few
def number_of(sent: int | float) -> Decimal:
    """The double nearest to what was sent, in its shortest decimals."""
    return Decimal(repr(sent)) if isinstance(sent, float) else Decimal(sent)


def _surely_strict(raw: bytes, fields: int) -> bool:
    """
    Whether a packet that fits the shape can be trusted without a second, stricter reading.

    The quick reader keeps the last of two equal keys, and takes numbers of any length. In what
    fits the shape a colon stands after each key and nowhere else.
    """
    return raw.count(b":") == fields and LONG_NUMBER not in raw.translate(_NUMBERS_AS_ZEROS)


LONG_NUMBER = b"0" * (MAX_DIGITS + 1)
_NUMBERS_AS_ZEROS = bytes(48 if byte in b"0123456789+-.eE" else 32 for byte in range(256))
