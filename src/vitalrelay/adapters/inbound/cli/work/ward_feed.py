"""The ward as the API tells it: who is where, how they are, and whether it can be believed."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from vitalrelay.domain.assessment import RiskLevel

ANSWER_WITHIN_S = 2.0
AT_ONCE = 200  # what the API answers in one request at most

Snapshot = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """``silent_s``: for how long the API has not answered; 0 if it just did."""

    url: str
    patients: Sequence[Snapshot] = ()
    ready: str = "not asked yet"
    silent_s: float = 0.0
    at_ms: int = field(default_factory=lambda: round(time.time() * 1000))


class WardFeed:
    def __init__(self, url: str, ward: str, patients: int) -> None:
        self.url = url
        self._subjects = [f"{ward}-{number:04}" for number in range(1, patients + 1)]
        self._last = Look(url)
        self._answered = time.monotonic()

    def look(self) -> Look:
        """The patients, most urgent first. While nobody answers: as they were last seen."""
        try:
            patients = sorted(self._patients(), key=urgency)
            ready = self._readiness()
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            silent_s = time.monotonic() - self._answered
            return Look(self.url, self._last.patients, self._last.ready, silent_s)
        self._answered = time.monotonic()
        self._last = Look(self.url, patients, ready)
        return self._last

    def _patients(self) -> Iterator[Snapshot]:
        for start in range(0, len(self._subjects), AT_ONCE):
            asked = [("subjectId", subject) for subject in self._subjects[start : start + AT_ONCE]]
            _, answer = self._get(f"/v1/snapshots?{urlencode(asked)}")
            yield from (item["snapshot"] for item in answer["items"])

    def _readiness(self) -> str:
        status, answer = self._get("/readyz")
        failed = ", ".join(check["name"] for check in answer.get("failedChecks", ()))
        return "ready" if status == http.client.OK else f"not ready: {failed}"

    def _get(self, path: str) -> tuple[int, Any]:
        place = urlsplit(self.url)
        assert place.hostname is not None
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=ANSWER_WITHIN_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def urgency(snapshot: Snapshot) -> tuple[int, int, str]:
    """A key by which the most urgent patient comes first."""
    assessment = snapshot["assessment"] or {}
    level = RiskLevel(assessment.get("riskLevel", RiskLevel.UNKNOWN))
    return -level.urgency, -(assessment.get("score") or 0), snapshot["subjectId"]
