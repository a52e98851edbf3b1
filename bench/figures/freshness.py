"""
Commit to snapshot, at 300 packets a second.

Both ends are told by the servers: PostgreSQL says when the packet's transaction committed
(``track_commit_timestamp``), Redis when the event was written (its stream id, in milliseconds).
A version that was superseded before it was published counts with the one that superseded it.
"""

import asyncio
import json
from bisect import bisect_left
from collections import defaultdict
from statistics import quantiles

import asyncpg
import redis.asyncio

from bench.bare import bare
from bench.candidates import ours
from bench.ground import Ground
from bench.load import packets
from bench.report import Figure
from vitalrelay.replay.connection import Lane
from vitalrelay.replay.target import ONE_PACKET, Target

ASKED_MS = 25.0
RATE, SECONDS, GATEWAYS = 300, 20, 300
SILENCE_S = 20.0

COMMITS = """
    select packet_id,
        (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8
    from patient_signal_packets
"""

Version = tuple[str, int]


def measure(ground: Ground, processes: int) -> list[Figure]:
    database_url = ground.database("freshness")
    with ours(ground, database_url, processes) as url:
        versions = asyncio.run(send(url))
        commits = asyncio.run(committed(database_url))
        events = asyncio.run(published(ground.redis_url))
    delays = [
        first_shown(events[subject], version) - commits[packet]
        for packet, (subject, version) in versions.items()
    ]
    cuts = quantiles(delays, n=100)
    pair = bare(ground, like=database_url)
    figure = Figure.of_latency(
        "commit to snapshot, p99 at 300/s",
        cuts[98],
        at_most=ASKED_MS,
        others={"p50": cuts[49], "bare p50": pair.p50_ms},
        bare_ms=pair.p99_ms,
    )
    return [figure]


async def send(
    url: str, rate: int = RATE, seconds: int = SECONDS, gateways: int = GATEWAYS
) -> dict[str, Version]:
    """On an absolute schedule, whatever the answers do; which version each packet led to."""
    target, versions = Target.at(url), dict[str, Version]()
    head = target.head(ONE_PACKET)
    loop = asyncio.get_running_loop()
    started = loop.time()

    async def one_gateway(number: int) -> None:
        lane, stream = Lane(target, SILENCE_S), packets(number)
        for turn in range(seconds * rate // gateways):
            due = started + turn * gateways / rate + number / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            body = next(stream)
            answer = await lane.exchange(head + b"%d\r\n\r\n%b" % (len(body), body))
            assert answer.status == 201, answer.status
            receipt = json.loads(answer.body)
            version = receipt["projection"]["version"]
            versions[receipt["packetId"]] = (receipt["subjectId"], version)
        lane.close()

    await asyncio.gather(*(one_gateway(number) for number in range(gateways)))
    await asyncio.sleep(2)  # what is under way arrives
    return versions


async def committed(database_url: str) -> dict[str, float]:
    connection = await asyncpg.connect(database_url)
    try:
        return dict(await connection.fetch(COMMITS))
    finally:
        await connection.close()


async def published(redis_url: str) -> dict[str, list[tuple[int, int]]]:
    """Per patient (version, written at, ms), versions rising."""
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        entries = await client.xrange("patient-risk:monitoring-snapshots:events")
    finally:
        await client.aclose()
    events: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for stream_id, fields in entries:
        written_ms = int(stream_id.partition(b"-")[0])
        events[fields[b"subjectId"].decode()].append((int(fields[b"version"]), written_ms))
    return events


def first_shown(events: list[tuple[int, int]], version: int) -> int:
    """When this version, or one that superseded it, was there to be read."""
    return events[bisect_left(events, (version, 0))][1]
