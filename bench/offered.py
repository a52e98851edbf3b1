"""
Single POSTs that do not wait for each other: ``python -m bench.offered '{"url": …}'``, a process
apart, prints one JSON object.

On an absolute schedule: what is due is sent on a connection that is free, and counts from when it
was due, also where it had to wait for one. Without a rate everything is due at once: a closed loop.
Packets are rendered beforehand, so that offering many more than are taken costs little.
"""

import asyncio
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from math import nan
from statistics import quantiles

import uvloop

from bench.ground import elsewhere
from bench.offering import Offering, requests
from vitalrelay.replay.target import Target

OTHER_FILES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """
    ``connections``: each a gateway with a patient, as far as this system lets a process have so
    many; ``rate``: requests a second.
    """

    url: str
    connections: int
    seconds: float
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """
    ``stored``: 201 in each second. ``others``: by status, and what kind of problem it was.

    Latency is that of 201 answers. ``unsent``: due, but no connection was free until the end.
    ``cpu``: of the one who offers, of one core. ``ended_at``: when the last was sent, Unix time.
    """

    stored: list[int]
    stored_late: int
    others: dict[str, int]
    p50_ms: float
    p99_ms: float
    sent: int
    unsent: int
    unanswered: int
    connections: int
    cpu: float
    ended_at: float

    @property
    def stored_in_all(self) -> int:
        return sum(self.stored) + self.stored_late

    def per_s(self, since_s: int = 0) -> float:
        counted = self.stored[since_s:]
        return sum(counted) / len(counted)


def offer(wanted: Offer) -> Answered:
    return Answered(**elsewhere("bench.offered", wanted))


def capacity(url: str, connections: int, seconds: float) -> Answered:
    """As a closed loop has it: all that is taken, and nothing of it refused."""
    answered = offer(Offer(url=url, connections=connections, seconds=seconds))
    assert not answered.others, answered.others
    assert answered.unanswered == 0, answered.unanswered
    return answered


async def run(wanted: Offer) -> Answered:
    target = Target.at(wanted.url)
    offering = Offering(target, requests(target), wanted.seconds, wanted.rate)
    connections = min(wanted.connections, most_connections())
    await offering.connect(connections)
    used = time.process_time()
    await offering.run()
    ended_at, cpu = time.time(), (time.process_time() - used) / wanted.seconds
    await offering.hear_the_rest()
    cuts = quantiles(offering.took_ms, n=100) if len(offering.took_ms) > 1 else [nan] * 99
    answered = Answered(
        stored=offering.stored,
        stored_late=offering.stored_late,
        others=dict(offering.others),
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        sent=offering.sent,
        unsent=offering.unsent,
        unanswered=offering.unanswered,
        connections=connections,
        cpu=cpu,
        ended_at=ended_at,
    )
    offering.close()
    return answered


def most_connections() -> int:
    """Each is an open file, and others are open besides."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return sys.maxsize if most == resource.RLIM_INFINITY else most - OTHER_FILES


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asdict(asyncio.run(run(Offer(**json.loads(sys.argv[1])))))))
