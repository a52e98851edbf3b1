"""
A drain by a peer: ``python -m bench.peers.run '{"peer": …}'`` prints one JSON object.

All jobs are there before the workers are released, and all workers are loaded and connected.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from itertools import islice

import asyncpg
import uvloop
from redis.asyncio import Redis

from bench.drained import drained
from bench.peers.order import KEY, Order

PATIENCE_S = 90.0
COMPARED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Moved:
    seconds: float
    version: str


async def run(order: Order) -> Moved:
    peer = import_module(f"bench.peers.on_{order.peer}")
    async with asyncio.timeout(PATIENCE_S):
        await maintain(order, "checkpoint")  # of what was before, and not in the middle of it
        await peer.fill(order)
        await maintain(order, "vacuum analyze")
    async with Redis.from_url(order.redis_url) as redis:
        assert await redis.dbsize() == 0, "something is there already"
        with ExitStack() as stack:
            workers = [stack.enter_context(worker(order)) for _ in range(order.processes)]
            for one in workers:
                release(one)
            seconds = await drained(redis.dbsize, lambda: peer.owed(order), order.documents)
        await compare(redis, order)
    return Moved(seconds, version(peer.LIBRARY))


async def maintain(order: Order, statement: str) -> None:
    connection = await asyncpg.connect(order.database_url)
    await connection.execute(statement)
    await connection.close()


@contextmanager
def worker(order: Order) -> Iterator["subprocess.Popen[str]"]:
    """Loaded and connected; ended by its id."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.work", json.dumps(asdict(order))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if "BENCH_VERBOSE" not in os.environ else None,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def release(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


async def compare(redis: Redis, order: Order) -> None:
    """What is in Redis is what was asked for, all of it and nothing else."""
    assert await redis.dbsize() == order.documents, await redis.dbsize()
    waiting = order.each()
    while some := list(islice(waiting, COMPARED_AT_ONCE)):
        found = await redis.mget([KEY + subject for subject, _ in some])
        assert found == [document.encode() for _, document in some]


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Order(**json.loads(sys.argv[1])))))))
