"""Both workers in one process: ``vitalrelay worker``, or ``python -m workers``."""

import asyncio

from workers import chores, relay
from workers.process import run_until_told

if __name__ == "__main__":
    asyncio.run(run_until_told([relay.WorkerSettings, chores.WorkerSettings]))
