"""
The screens, in a process of their own: ``python -m bench.screens '{"url": …}'`` prints one JSON
object.

So many connections, each a screen that asks for one patient after the other, at random. Of some
it has the document already and says so with its tag. Without a rate it asks again as soon as it
is answered; with one, on an absolute schedule, and what is late counts from when it was due.
"""

import asyncio
import json
import random
import sys
from array import array
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import quantiles
from time import perf_counter

import uvloop

from bench.ground import elsewhere
from bench.load import packets
from vitalrelay.replay.connection import Answer, Lane
from vitalrelay.replay.target import ONE_PACKET, Target

SILENCE_S = 20.0
PATIENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """``known``: how many of a hundred reads say that they have the document already."""

    url: str
    connections: int
    seconds: float
    known: int = 50
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Right answers a second, their latency, how many of them were 304; and the wrong answers."""

    per_s: float
    p50_ms: float
    p99_ms: float
    unchanged_share: float
    wrong: int


def look(screens: Screens) -> Seen:
    return Seen(**elsewhere("bench.screens", screens))


async def admit(url: str) -> None:
    """A packet with all seven vitals for each patient."""
    target = Target.at(url)
    lane, head = Lane(target, SILENCE_S), target.head(ONE_PACKET)
    for number in range(PATIENTS):
        body = next(packets(number))
        answer = await lane.exchange(head + b"%d\r\n\r\n%b" % (len(body), body))
        assert answer.status == 201, answer.status
    lane.close()


class Screen:
    """``tags``: of the document that any of the screens was shown last of each patient."""

    def __init__(self, screens: Screens, number: int, tags: dict[int, bytes]) -> None:
        self._target = Target.at(screens.url)
        self._lane = Lane(self._target, SILENCE_S)
        self._chance = random.Random(number)
        self._known = screens.known
        self._tags = tags
        self.seen: Counter[int] = Counter()
        self.took_ms = array("d")

    async def look(self, due: float | None = None) -> None:
        patient = self._chance.randrange(PATIENTS)
        tag = self._tags.get(patient) if self._chance.randrange(100) < self._known else None
        answer = await self._lane.exchange(self._request(patient, tag))
        self.took_ms.append((answer.ended_at - (due or answer.sent_at)) * 1000)
        self.seen[answer.status if self._is_right(patient, tag, answer) else 0] += 1

    def _request(self, patient: int, tag: bytes | None) -> bytes:
        condition = b"" if tag is None else b'If-None-Match: "%b"\r\n' % tag
        return (b"GET /v1/subjects/patient-%d/snapshot HTTP/1.1\r\nHost: %b\r\n%b\r\n") % (
            patient,
            self._target.host.encode(),
            condition,
        )

    def _is_right(self, patient: int, tag: bytes | None, answer: Answer) -> bool:
        if answer.status == 304:
            return tag is not None
        body = answer.body
        if answer.status != 200 or b'"subjectId":"patient-%d"' % patient not in body:
            return False
        self._tags[patient] = body.partition(b'"fingerprint":"')[2].partition(b'"')[0]
        return True

    def close(self) -> None:
        self._lane.close()


async def run(screens: Screens) -> Seen:
    tags: dict[int, bytes] = {}
    looking = [Screen(screens, number, tags) for number in range(screens.connections)]
    for screen in looking:  # each has looked once before it counts
        await screen.look()
        screen.seen.clear()
        screen.took_ms = array("d")
    started = perf_counter()
    await asyncio.gather(*(watch(screen, screens, n, started) for n, screen in enumerate(looking)))
    lasted = perf_counter() - started
    seen = sum((screen.seen for screen in looking), Counter[int]())
    took_ms = [one for screen in looking for one in screen.took_ms]
    cuts = quantiles(took_ms, n=100)
    right = seen[200] + seen[304]
    return Seen(right / lasted, cuts[49], cuts[98], seen[304] / max(right, 1), seen[0])


async def watch(screen: Screen, screens: Screens, number: int, started: float) -> None:
    until = started + screens.seconds
    if screens.rate is None:
        while perf_counter() < until:
            await screen.look()
    else:
        between = screens.connections / screens.rate
        due = started + number / screens.rate
        while due < until:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            await screen.look(due)
            due += between
    screen.close()


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asdict(asyncio.run(run(Screens(**json.loads(sys.argv[1])))))))
