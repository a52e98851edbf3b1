"""A file of packets, one JSON object per line, sent as they are, also where they are bad."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import WirePacket, read_packet
from vitalrelay.replay.sources.source import Census

STDIN = "-"


def read_ndjson(name: str, census: Census) -> Iterator[WirePacket]:
    """``name`` is a path, or ``-`` for standard input. Raises WrongUsage if it cannot be opened."""
    _open(name).close()
    return _packets(name, census)


def _packets(name: str, census: Census) -> Iterator[WirePacket]:
    with _open(name) as lines:
        for line in lines:
            census.rows += 1
            body = line.strip()
            if body:
                yield read_packet(body)
            else:
                census.without_signal += 1


def _open(name: str) -> BinaryIO:
    """Standard input through a reader of our own: one that waits must not hold up our end."""
    try:
        if name == STDIN:
            return open(sys.stdin.fileno(), "rb", closefd=False)
        return Path(name).open("rb")
    except OSError as error:
        raise WrongUsage(f"{name}: {error.strerror or 'it cannot be read'}") from None
