"""
Commit to screen, on one API process: 1,000 screens on the event stream, 200 snapshots a second.

When a packet was committed, PostgreSQL says (``track_commit_timestamp``); when a screen was told,
its own socket. Every screen is held against the stream itself: nothing missed, nothing repeated.
A second time with a hundred more who never read.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import redis.asyncio

from bench.candidates import free_port
from bench.figures.freshness import committed, send
from bench.ground import ROOT, Ground, process, wait_for
from bench.report import Figure
from bench.stream_clients import Heard, Screens

ASKED_MS, MOST_MB = 250.0, 400
RATE, SECONDS, GATEWAYS = 200, 30, 400
LISTENING, DEAF = 1_000, 100
EVENTS = "patient-risk:monitoring-snapshots:events"


def measure(ground: Ground, processes: int) -> list[Figure]:
    """``processes`` is for the other figures: here it is the one that is asked about."""
    alone, _ = listened(ground, deaf=0)
    heard, cost = listened(ground, deaf=DEAF)
    met = heard.p99_ms < ASKED_MS and heard.wrong == 0 and cost.megabytes < MOST_MB
    details = {
        "p50": f"{heard.p50_ms} ms",
        "longest": f"{heard.longest_ms} ms",
        "from Redis to the screen, p99": f"{heard.told_p99_ms} ms",
        f"p99 without {DEAF} deaf ones": f"{alone.p99_ms} ms",
        "screens that missed or repeated something": alone.wrong + heard.wrong,
        "deliveries": f"{heard.deliveries:,}",
        "API": f"{cost.megabytes:.0f} MB at its highest, {cost.cpu:.0%} of a core",
        "screens' own CPU": f"{heard.cpu:.0%} of a core, late by {heard.lag_ms} ms (p99)",
    }
    name = f"commit to {LISTENING:,} screens, p99 at {RATE}/s"
    asked = f"< {ASKED_MS:g} ms, < {MOST_MB} MB"
    return [Figure(name, heard.p99_ms, asked, met, details)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the API process: memory at its highest, and its share of one core while it was sent."""

    megabytes: float
    cpu: float


def listened(ground: Ground, deaf: int) -> tuple[Heard, Cost]:
    """What was heard, and what the API took for it."""
    asyncio.run(forget(ground.redis_url))
    database_url = ground.database(f"stream_{deaf}")
    with one_api(ground, database_url) as (url, pid):
        screens = Screens(url=url, listening=LISTENING, deaf=deaf)
        with heard_by(screens) as clients:
            began, used = time.monotonic(), cpu_s(pid)
            versions = asyncio.run(send(url, RATE, SECONDS, GATEWAYS))
            cpu = (cpu_s(pid) - used) / (time.monotonic() - began)
            commits = asyncio.run(committed(database_url))
            events = asyncio.run(published(ground.redis_url))
            answer, _ = clients.communicate(json.dumps(commits_of(events, versions, commits)))
        return Heard(**json.loads(answer)), Cost(highest_memory_mb(pid), cpu)


async def forget(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.flushall()


@contextmanager
def one_api(ground: Ground, database_url: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": ground.redis_url,
        "VITALRELAY_LOG_LEVEL": "error",
    }
    with (
        process(["-m", "vitalrelay", "api", "--port", str(port)], environment) as api,
        process(["-m", "vitalrelay", "worker"], environment),
    ):
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}", api.pid


@contextmanager
def heard_by(screens: Screens) -> Iterator["subprocess.Popen[str]"]:
    """In another process, so that the screens' own work is not the service's."""
    command = [sys.executable, "-m", "bench.stream_clients", json.dumps(asdict(screens))]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as clients:
        assert clients.stdout is not None
        try:
            assert clients.stdout.readline() == "listening\n"
            yield clients
        finally:
            clients.kill()


Event = tuple[str, str, int]  # id, subject, version


async def published(redis_url: str) -> list[Event]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        entries = await client.xrange(EVENTS)
    return [
        (identity.decode(), fields[b"subjectId"].decode(), int(fields[b"version"]))
        for identity, fields in entries
    ]


def commits_of(
    events: Sequence[Event],
    versions: Mapping[str, tuple[str, int]],
    commits: Mapping[str, float],
) -> dict[str, list[float]]:
    """Of each event: when what it was the first to show was committed."""
    owed: dict[str, dict[int, float]] = defaultdict(dict)
    for packet, (subject, version) in versions.items():
        owed[subject][version] = commits[packet]
    shown: dict[str, list[float]] = {}
    for identity, subject, version in events:
        new = [wanted for wanted in owed[subject] if wanted <= version]
        shown[identity] = [owed[subject].pop(wanted) for wanted in new]
    return shown


def highest_memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmHWM")


def cpu_s(pid: int) -> float:
    after_the_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_the_name[11:13])) / os.sysconf("SC_CLK_TCK")
