"""The installation that ``vitalrelay up`` keeps in a directory, for whoever names no other."""

import json
import os
from pathlib import Path

from vitalrelay.adapters.inbound.cli.terminal import say
from vitalrelay.supervisor.place import READY

NAMED_BY = {"DATABASE_URL": "databaseUrl", "REDIS_URL": "redisUrl"}


def use_nearby(directory: Path) -> None:
    """
    Set both addresses in the environment, if neither is there and both stand in the directory.

    Never one alone: half of one installation and half of another would be taken for a whole.
    """
    if any(os.environ.get(name) for name in NAMED_BY):
        return
    try:
        ready = json.loads((directory / READY).read_bytes())
        addresses = {name: str(ready[key]) for name, key in NAMED_BY.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return
    say(f"{' and '.join(NAMED_BY)} are not set: this is about the installation in {directory}")
    os.environ.update(addresses)
