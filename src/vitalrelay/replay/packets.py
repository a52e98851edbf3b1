"""A packet as it stands on the wire, and what has to be known of it to follow it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from vitalrelay.replay.errors import WrongUsage

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LATEST_MS: Final = 2**53


class Signal(NamedTuple):
    """One measurement. ``spelled`` is the value as JSON spells it: ``36.50``, ``true``, ``"A"``."""

    code: str
    spelled: str
    unit: str = ""
    quality: str = ""

    def json(self) -> str:
        unit = f',"unit":"{self.unit}"' if self.unit else ""
        quality = f',"quality":"{self.quality}"' if self.quality else ""
        return f'{{"code":"{self.code}","value":{self.spelled}{unit}{quality}}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where packets come from and whom they are about; raises WrongUsage for what is no id."""

    site: str
    device: str
    subject: str

    def __post_init__(self) -> None:
        for name in (self.site, self.device, self.subject):
            if not ID.fullmatch(name):
                raise WrongUsage(f"{name!r} cannot be an id: up to 64 letters, digits and ._-")


@dataclass(frozen=True, slots=True)
class WirePacket:
    """``body`` is what is sent, byte for byte; the rest is None where it cannot be told from it."""

    body: bytes
    packet_id: str | None
    subject_id: str | None
    timestamp_ms: int | None


def write_packet(
    origin: Origin, timestamp_ms: int, signals: Iterable[Signal], sequence: int | None = None
) -> WirePacket:
    numbered = "" if sequence is None else f',"sequence":{sequence}'
    suffix = "" if sequence is None else f":{sequence}"
    body = (
        f'{{"siteId":"{origin.site}","deviceId":"{origin.device}","subjectId":"{origin.subject}",'
        f'"timestampMs":{timestamp_ms}{numbered},'
        f'"signals":[{",".join(signal.json() for signal in signals)}]}}'
    )
    packet_id = f"{origin.site}:{origin.device}:{timestamp_ms}{suffix}"
    return WirePacket(body.encode(), packet_id, origin.subject, timestamp_ms)


def read_packet(body: bytes) -> WirePacket:
    """Whatever ``body`` is, it is sent as it is."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return WirePacket(body, None, None, None)
    subject = content.get("subjectId")
    return WirePacket(
        body,
        _packet_id(content),
        subject if isinstance(subject, str) else None,
        _whole(content.get("timestampMs")),
    )


def _packet_id(content: dict[str, object]) -> str | None:
    site, device = content.get("siteId"), content.get("deviceId")
    timestamp_ms = _whole(content.get("timestampMs"))
    if not isinstance(site, str) or not isinstance(device, str) or timestamp_ms is None:
        return None
    sequence = _whole(content.get("sequence"))
    return f"{site}:{device}:{timestamp_ms}" + ("" if sequence is None else f":{sequence}")


def _whole(value: object) -> int | None:
    """Only a number that can be a time or a sequence; ``true`` is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < LATEST_MS else None
