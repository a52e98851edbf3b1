"""
Somebody who acknowledges and mutes, and who insists until there is an answer.

On a bad line: now and then the connection is gone before the answer came.
"""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Event
from urllib.parse import quote, urlsplit

ANSWERS_WITHIN_S = 10.0
INSISTS_FOR_S = 30.0
BAD_LINE = 0.1
NO_ANSWER = 0
NOT_NOW = 503
CONDITIONS = (
    "news2-medium",
    "news2-high",
    "vital-red:heart_rate",
    "vital-red:respiratory_rate",
    "vital-red:spo2",
    "vital-red:systolic_bp",
    "vital-red:temperature",
    "vital-red:consciousness",
    "vital-red:never-measured",
)


@dataclass
class Deed:
    """One action: what was wanted, under which ids it was sent, and the answer in the end."""

    verb: str
    alarm: str
    wanted: dict
    key: str
    request_ids: list[str] = field(default_factory=list)
    status: int = NO_ANSWER
    answer: dict = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return self.answer.get("outcome", "refused")


class Nurse:
    """``deeds`` is what came of it all."""

    def __init__(self, name: str, api_url: str, subject: str, seed: int) -> None:
        self.name = name
        self.deeds: list[Deed] = []
        self._subject = subject
        self._chance = Random(f"{seed} {name}")
        self._api = http.client.HTTPConnection(urlsplit(api_url).netloc, timeout=ANSWERS_WITHIN_S)
        self._seen: Sequence[dict] = ()

    def work(self, over: Event) -> None:
        """Until it is over; what was begun is carried through."""
        try:
            while not over.is_set():
                self._look()
                self.deeds.append(self._something())
                self._insist(self.deeds[-1])
                over.wait(self._chance.uniform(0.1, 0.7))
        finally:
            self._api.close()

    def _look(self) -> None:
        status, snapshot = self._ask("GET", f"/v1/subjects/{self._subject}/snapshot")
        if status == http.client.OK:
            self._seen = snapshot["alarms"]

    def _something(self) -> Deed:
        verb, alarm = self._choice()
        wanted = {"actorRef": self.name, "reason": f"the {len(self.deeds)}. of mine"}
        if verb == "mute":
            wanted["durationSeconds"] = self._chance.choice((1, 1, 2, 5))
        return Deed(verb, alarm, wanted, key=f"{self.name}-{self._chance.getrandbits(64):x}")

    def _choice(self) -> tuple[str, str]:
        """Of what was seen when last looked at; sometimes any, which may not be there at all."""
        seen = [alarm["alarmId"] for alarm in self._seen]
        heard = [alarm["alarmId"] for alarm in self._seen if alarm["mutedUntilMs"] is None]
        if not seen or self._chance.random() < 0.15:
            verb = self._chance.choice(("acknowledge", "mute"))
            return verb, f"{self._subject}:{self._chance.choice(CONDITIONS)}"
        if heard and self._chance.random() < 0.25:
            return "mute", self._chance.choice(heard)
        return "acknowledge", self._chance.choice(seen)

    def _insist(self, deed: Deed) -> None:
        """The same key each time: done once, however often it is said."""
        began = time.monotonic()
        while deed.status in (NO_ANSWER, NOT_NOW):
            assert time.monotonic() - began < INSISTS_FOR_S, deed
            if deed.request_ids:
                time.sleep(self._chance.uniform(0.02, 0.2))
            deed.request_ids.append(f"{deed.key}-{len(deed.request_ids)}")
            headers = {"Idempotency-Key": deed.key, "X-Request-Id": deed.request_ids[-1]}
            path = f"/v1/alarms/{quote(deed.alarm)}/{deed.verb}"
            deed.status, deed.answer = self._ask("POST", path, deed.wanted, headers)

    def _ask(
        self, method: str, path: str, content: dict | None = None, headers: dict | None = None
    ) -> tuple[int, dict]:
        body = None if content is None else json.dumps(content)
        said = {"Content-Type": "application/json"} | (headers or {})
        try:
            self._api.request(method, path, body, said)
            if method == "POST" and self._chance.random() < BAD_LINE:
                raise ConnectionResetError
            answer = self._api.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self._api.close()
            return NO_ANSWER, {}
