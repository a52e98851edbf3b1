"""Packets as gateways send them, each another one unless it says which."""

import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

NUMBERS = itertools.count(1)
SESSION_MS = time.time_ns() // 1_000_000 - 60_000

WELL = {
    "respiratory_rate": 16,
    "spo2": 97,
    "supplemental_oxygen": False,
    "systolic_bp": 120,
    "heart_rate": 70,
    "consciousness": "A",
    "temperature": 36.8,
}


def a_packet(**changes: Any) -> dict[str, Any]:
    """Of a patient of its own; ``changes`` are fields, and None takes one away."""
    number = next(NUMBERS)
    packet = {
        "siteId": "seoul-01",
        "deviceId": f"bed-{number}",
        "subjectId": f"p-{number}",
        "timestampMs": SESSION_MS,
        "signals": [{"code": "heart_rate", "value": 81, "unit": "/min"}],
    } | changes
    return {name: value for name, value in packet.items() if value is not None}


def signals(**values: Any) -> list[dict[str, Any]]:
    return [{"code": code, "value": value} for code, value in values.items()]


def now_ms() -> int:
    """Newer than all that was sent before."""
    return time.time_ns() // 1_000_000


def id_of(packet: dict[str, Any]) -> str:
    parts = [packet["siteId"], packet["deviceId"], packet["timestampMs"], packet.get("sequence")]
    return ":".join(str(part) for part in parts if part is not None)


def of_line(packet: Any) -> bytes:
    return json.dumps(packet).encode() + b"\n"


def lines(packets: Iterable[Any]) -> bytes:
    return b"".join(map(of_line, packets))
