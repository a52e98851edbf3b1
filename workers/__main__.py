"""Both workers in one process: ``vitalrelay worker``, or ``python -m workers``."""

import asyncio

from vitalrelay.runtime import collect_seldom, new_event_loop
from workers import chores, relay
from workers.process import run_until_told

if __name__ == "__main__":
    collect_seldom()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run_until_told([relay.WorkerSettings, chores.WorkerSettings]))
