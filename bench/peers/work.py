"""
One worker process of a peer: ``python -m bench.peers.work '{"peer": …}'``.

It says that it is ready, and begins when it is told to, by a line each.
"""

import asyncio
import json
import sys
from importlib import import_module

import uvloop

from bench.peers.order import Order


async def released() -> None:
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    order = Order(**json.loads(sys.argv[1]))
    peer = import_module(f"bench.peers.on_{order.peer}")
    uvloop.run(peer.work(order, released))
