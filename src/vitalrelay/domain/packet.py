"""What a gateway sends: signals of one patient, from one device, at about one time."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import NewType

from msgspec import Struct

PacketId = NewType("PacketId", str)
SubjectId = NewType("SubjectId", str)
EncounterId = NewType("EncounterId", str)

# No colon: two different packets can never share an id.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# These names stand beside the patients' documents.
RESERVED_SUBJECTS = frozenset({"latest", "events"})

MAX_SIGNALS = 64
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
CLOCK_NEVER_SET_MS = 1_577_836_800_000  # before 2020-01-01: a clock that was never set
CLOCK_TOLERANCE_MS = 2_000  # ahead by less is network and rounding

Value = Decimal | bool | str


class Quality(StrEnum):
    """How far a value may be trusted; only good ones are scored."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    INVALID = "invalid"


class Signal(Struct, frozen=True):
    """One measurement, as it was sent: value and unit untouched, ``measured_ms`` the device's."""

    code: str
    value: Value
    unit: str | None
    measured_ms: int
    quality: Quality = Quality.GOOD


class Packet(Struct, frozen=True, kw_only=True, dict=True):
    """One packet as sent. Times are the device's, in milliseconds since 1970, UTC."""

    id: PacketId
    site: str
    device: str
    subject: SubjectId
    encounter: EncounterId
    timestamp_ms: int
    sequence: int | None
    signals: tuple[Signal, ...]

    @cached_property
    def newest_ms(self) -> int:
        """Of all times the device claims: the packet's, and each signal's."""
        return max([self.timestamp_ms, *[signal.measured_ms for signal in self.signals]])

    @cached_property
    def oldest_ms(self) -> int:
        return min([self.timestamp_ms, *[signal.measured_ms for signal in self.signals]])

    def content(self) -> Mapping[str, object]:
        """What makes two packets the same: everything sent, with the defaults left out."""
        content: dict[str, object] = {
            "siteId": self.site,
            "deviceId": self.device,
            "subjectId": self.subject,
            "encounterId": self.encounter,
            "timestampMs": self.timestamp_ms,
            "signals": [self._signal_content(signal) for signal in self.signals],
        }
        if self.sequence is not None:
            content["sequence"] = self.sequence
        return content

    def _signal_content(self, signal: Signal) -> Mapping[str, object]:
        content: dict[str, object] = {"code": signal.code, "value": signal.value}
        if signal.unit is not None:
            content["unit"] = signal.unit
        if signal.measured_ms != self.timestamp_ms:
            content["measuredAtMs"] = signal.measured_ms
        if signal.quality is not Quality.GOOD:
            content["quality"] = signal.quality
        return content


def packet_id(site: str, device: str, timestamp_ms: int, sequence: int | None) -> PacketId:
    """``site:device:timestamp_ms``, and ``:sequence`` where the device numbers its packets."""
    suffix = "" if sequence is None else f":{sequence}"
    return PacketId(f"{site}:{device}:{timestamp_ms}{suffix}")


class Received(Struct, frozen=True):
    """
    A packet with the database's word on when it came.

    No effective time is later than the receipt: a device in 2036 must not stay the latest
    for ten years.
    """

    packet: Packet
    at_ms: int

    @property
    def effective_ms(self) -> int:
        return min(self.packet.timestamp_ms, self.at_ms)

    @property
    def ahead_ms(self) -> int:
        """By how much the device's clock ran ahead of the receipt; 0 if it did not."""
        return max(0, self.packet.newest_ms - self.at_ms)

    @property
    def clock_suspect(self) -> bool:
        """Ahead by more than the tolerance, or never set. Late is not suspect."""
        if self.ahead_ms > CLOCK_TOLERANCE_MS:
            return True
        return self.packet.oldest_ms < CLOCK_NEVER_SET_MS
