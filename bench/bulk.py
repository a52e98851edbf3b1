"""
So many packets and no more: ``python -m bench.bulk '{"url": …}'``, a process apart, prints one JSON
object.

Each stream is one NDJSON request, in chunks made as they are sent, whose answer is read meanwhile.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from time import perf_counter

import uvloop
from httptools import HttpResponseParser

from bench.ground import elsewhere
from bench.load import packets
from vitalrelay.replay.target import MANY_PACKETS, Target

PIECE_LINES = 50
STORED = b'"status":201,'
TAKES_AT_MOST_S = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """``packets`` in all, ``patients`` in all: equal shares of both for each stream."""

    url: str
    packets: int
    patients: int
    streams: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """``stored``: lines that were answered so; ``summed``: what the summaries say of it."""

    stored: int
    summed: int
    body_bytes: int
    seconds: float


def send(bulk: Bulk) -> Sent:
    """All of it, and all of it stored."""
    sent = Sent(**elsewhere("bench.bulk", bulk))
    assert sent.stored == sent.summed == bulk.packets, sent
    return sent


class Answers:
    """Counted as they come, and not kept."""

    def __init__(self) -> None:
        self.stored = 0
        self.complete = False
        self._last = self._rest = b""
        self._parser = HttpResponseParser(self)

    async def read(self, reader: asyncio.StreamReader) -> None:
        while not self.complete:
            data = await reader.read(65_536)
            assert data, "the answer broke off"
            self._parser.feed_data(data)
        assert self._parser.get_status_code() == 200, self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        whole, newline, self._rest = (self._rest + body).rpartition(b"\n")
        self.stored += whole.count(STORED)
        if newline:
            self._last = whole.rpartition(b"\n")[2]

    def on_message_complete(self) -> None:
        self.complete = True

    def summed(self) -> int:
        stored: int = json.loads(self._last)["summary"]["stored"]
        return stored


async def run(bulk: Bulk) -> Sent:
    target, body_bytes = Target.at(bulk.url), 0

    async def one_stream(number: int) -> Answers:
        nonlocal body_bytes
        reader, writer = await asyncio.open_connection(target.host, target.port)
        answers = Answers()
        reading = asyncio.create_task(answers.read(reader))
        writer.write(chunked(target.head(MANY_PACKETS)))
        mine = packets(number, bulk.patients // bulk.streams)
        for piece in pieces(mine, bulk.packets // bulk.streams):
            body_bytes += len(piece)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await reading
        writer.close()
        return answers

    began = perf_counter()
    async with asyncio.timeout(TAKES_AT_MOST_S):
        streams = await asyncio.gather(*(one_stream(number) for number in range(bulk.streams)))
    return Sent(
        stored=sum(answers.stored for answers in streams),
        summed=sum(answers.summed() for answers in streams),
        body_bytes=body_bytes,
        seconds=perf_counter() - began,
    )


def chunked(head: bytes) -> bytes:
    return head.replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n\r\n")


def pieces(mine: Iterator[bytes], count: int) -> Iterator[bytes]:
    for begin in range(0, count, PIECE_LINES):
        lines = islice(mine, min(PIECE_LINES, count - begin))
        yield b"".join(line + b"\n" for line in lines)


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asdict(asyncio.run(run(Bulk(**json.loads(sys.argv[1])))))))
