"""What screens are told, as text/event-stream has it."""

import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from vitalrelay.domain.packet import SubjectId
from vitalrelay.ports.snapshot_events import Position, SnapshotEvent


class Told(NamedTuple):
    """One event as it is said."""

    position: Position
    subject: SubjectId
    said: bytes


def told(event: SnapshotEvent) -> Told:
    document = {
        "subjectId": event.subject,
        "incarnation": event.incarnation,
        "version": event.version,
        "fingerprint": event.fingerprint,
    }
    return Told(event.position, event.subject, say("snapshot", document, event.position))


def say(event: str, document: Mapping[str, object], at: Position | None = None) -> bytes:
    """One event as text/event-stream has it."""
    place = "" if at is None else f"id: {at}\n"
    return f"{place}event: {event}\ndata: {_ENCODE(document)}\n\n".encode()


def say_now(event: str, at: Position | None = None, **more: object) -> bytes:
    """The same, of this moment: a screen can tell how far its own clock is off."""
    return say(event, {"serverTimeMs": round(time.time() * 1000), **more}, at)


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
