"""What an answer means for each packet of a request: acknowledged, refused, or ask again."""

import json
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from vitalrelay.replay.connection import Answer

NO_ANSWER: Final = "no-answer"
NO_RECEIPT: Final = "no-receipt"

RECEIPTS: Final = {(201, "stored"), (200, "duplicate")}
NEVER_STORED: Final = frozenset({400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431})
NOT_NOW: Final = {(503, "overloaded"), (503, "storage-unavailable")}


class Fate(Enum):
    """What is known of a packet after an answer. The last two are worth another attempt."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    CONFLICT = "conflict"
    NOT_NOW = "not-now"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        return self not in (Fate.NOT_NOW, Fate.UNKNOWN)


class Reply(NamedTuple):
    """The answer to one packet; ``outcome`` is the receipt's, else the problem's slug."""

    status: int
    outcome: str
    at: float

    @property
    def fate(self) -> Fate:
        if (self.status, self.outcome) in RECEIPTS:
            return Fate.ACKNOWLEDGED
        if self.status in NEVER_STORED:
            return Fate.REFUSED
        if (self.status, self.outcome) == (409, "packet-conflict"):
            return Fate.CONFLICT
        if self.status == 429 or (self.status, self.outcome) in NOT_NOW:
            return Fate.NOT_NOW
        return Fate.UNKNOWN


def reply_to_one(answer: Answer) -> Reply:
    if not answer.complete:
        return Reply(0, NO_ANSWER, answer.ended_at)
    return Reply(answer.status, _outcome(answer.status, answer.body), answer.ended_at)


def replies_to_batch(answer: Answer, lines: int) -> Sequence[Reply]:
    """One per line. An answer that was cut acknowledges the lines that came, and no other."""
    if answer.complete and answer.status != 200:
        return [reply_to_one(answer)] * lines
    replies = [Reply(0, NO_ANSWER, answer.ended_at)] * lines
    for at, text in _lines(answer):
        line = _object(text)
        number, status = line.get("line"), line.get("status")
        if isinstance(number, int) and isinstance(status, int) and 0 < number <= lines:
            replies[number - 1] = Reply(status, _outcome_in(status, line), at)
    return replies


def _lines(answer: Answer) -> Iterator[tuple[float, bytes]]:
    """Complete lines, each with the moment at which its end came."""
    begun = b""
    for at, piece in answer.pieces:
        *ended, begun = (begun + piece).split(b"\n")
        for line in ended:
            yield at, line
    if answer.complete and begun:
        yield answer.ended_at, begun


def _outcome(status: int, body: bytes) -> str:
    return _outcome_in(status, _object(body))


def _outcome_in(status: int, content: dict[str, object]) -> str:
    if status < 300:
        outcome = content.get("outcome")
        return outcome if isinstance(outcome, str) else NO_RECEIPT
    problem = content.get("problem", content)
    kind = problem.get("type") if isinstance(problem, dict) else None
    slug = kind.rpartition("/")[2] if isinstance(kind, str) else ""
    return slug or f"http-{status}"


def _object(text: bytes) -> dict[str, object]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
