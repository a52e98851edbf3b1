"""
Screens on the event stream: ``python -m bench.stream_clients '{"url": …}'``, a process apart.

So many that listen, and so many that ask and never read. It prints a line when all of them are
connected, reads one line (what was published, and when each of it was committed), and prints what
was heard: whether everything by everybody, and how long after the commit.

All who listen are sent the same bytes. So they are looked into once, and all that is kept for each
screen is which of them it heard, and when.
"""

import asyncio
import json
import re
import resource
import sys
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import uvloop

EVENT = re.compile(rb"id: (\S+)\nevent: snapshot\n")
PATIENCE_S = 20.0
AT_ONCE = 50

pieces: list[Sequence[bytes]] = []
known: dict[bytes, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    url: str
    listening: int
    deaf: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """
    From the commit to the screen; ``told_p99_ms`` is from the entry in Redis on.

    ``wrong``: screens that missed, repeated or mixed up something. ``cpu``: of one core.
    """

    p50_ms: float
    p99_ms: float
    longest_ms: float
    told_p99_ms: float
    wrong: int
    deliveries: int
    cpu: float
    lag_ms: float


class Listening(asyncio.Protocol):
    """``heard`` and ``times`` go together: which piece, and when."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._rest = b""
        self.greeted = asyncio.Event()
        self.heard = array("l")
        self.times = array("d")
        self.lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop has its own
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        number = None if self._rest else known.get(data)
        if number is None:
            number = self._look_into(data)
        self.heard.append(number)
        self.times.append(now)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    def _look_into(self, data: bytes) -> int:
        """What is complete in it; most often that is all of it, and the same as for all others."""
        whole, self._rest = complete(self._rest + data)
        if whole and not self.greeted.is_set():
            assert whole.startswith(b"HTTP/1.1 200 "), whole[:100]
            if b"event: hello" in whole:
                self.greeted.set()
        pieces.append(EVENT.findall(whole))
        if whole == data:
            known[data] = len(pieces) - 1
        return len(pieces) - 1

    def ids(self) -> list[bytes]:
        return [identity for number in self.heard for identity in pieces[number]]


def complete(data: bytes) -> tuple[bytes, bytes]:
    """Up to the end of the last event, and the rest."""
    end = data.rfind(b"\n\n\r\n")
    return (b"", data) if end < 0 else (data[: end + 4], data[end + 4 :])


class Deaf(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop has its own
        transport.pause_reading()
        transport.write(self._request)


async def run(screens: Screens) -> Heard:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        listening = await connect(screens)
    clock = asyncio.create_task(watch_the_clock())
    print("listening", flush=True)
    published = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    last = list(published)[-1].encode()
    until = loop.time() + PATIENCE_S
    while not all(has_heard(one, last) for one in listening):
        if loop.time() > until:
            break
        await asyncio.sleep(0.1)
    clock.cancel()
    began, used = spent()
    return summary(listening, published, used / (time.time() - began))


async def connect(screens: Screens) -> list[Listening]:
    """Some at a time, so that none is turned away."""
    address = urlsplit(screens.url)
    request = b"GET /v1/snapshots/stream HTTP/1.1\r\nHost: bench\r\n\r\n"
    loop = asyncio.get_running_loop()
    listening: list[Listening] = []
    for begin in range(0, screens.listening, AT_ONCE):
        some = await asyncio.gather(
            *(
                loop.create_connection(lambda: Listening(request), address.hostname, address.port)
                for _ in range(min(AT_ONCE, screens.listening - begin))
            )
        )
        listening += [protocol for _, protocol in some]
        await asyncio.gather(*(protocol.greeted.wait() for _, protocol in some))
    for _ in range(screens.deaf):
        await loop.create_connection(lambda: Deaf(request), address.hostname, address.port)
    return listening


lags = [0.0]
began_at = [0.0, 0.0]


async def watch_the_clock() -> None:
    """A client that is late itself makes others look slow."""
    began_at[:] = [time.time(), time.process_time()]
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.05
        await asyncio.sleep(0.05)
        lags.append(loop.time() - due)


def spent() -> tuple[float, float]:
    return began_at[0], time.process_time() - began_at[1]


def has_heard(one: Listening, last: bytes) -> bool:
    return any(last in pieces[number] for number in one.heard[-5:])


def summary(
    listening: Sequence[Listening], published: Mapping[str, Sequence[float]], cpu: float
) -> Heard:
    """``published``: in order, and for each event when what it shows was committed, in ms."""
    everything = [identity.encode() for identity in published]
    commits = [
        [commit for identity in piece for commit in published.get(identity.decode(), ())]
        for piece in pieces
    ]
    entries = [[float(identity.partition(b"-")[0]) for identity in piece] for piece in pieces]
    delays = since(commits, listening)
    return Heard(
        p50_ms=percentile(delays, 0.50),
        p99_ms=percentile(delays, 0.99),
        longest_ms=percentile(delays, 1.0),
        told_p99_ms=percentile(since(entries, listening), 0.99),
        wrong=sum(one.lost or one.ids() != everything for one in listening),
        deliveries=sum(delays),
        cpu=round(cpu, 2),
        lag_ms=round(sorted(lags)[int(len(lags) * 0.99)] * 1000, 1),
    )


def since(began_ms: Sequence[Sequence[float]], listening: Sequence[Listening]) -> list[int]:
    """Until it was heard; a histogram in tenths of a millisecond. One list for each piece."""
    delays = [0] * 100_000
    for one in listening:
        for number, at in zip(one.heard, one.times, strict=True):
            for began in began_ms[number]:
                delays[min(99_999, max(0, int((at * 1000 - began) * 10)))] += 1
    return delays


def percentile(tenths: Sequence[int], share: float) -> float:
    wanted, seen = share * sum(tenths), 0
    for tenth, count in enumerate(tenths):
        seen += count
        if seen >= wanted:
            return tenth / 10
    return float("nan")


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.install()
    print(json.dumps(asdict(asyncio.run(run(Screens(**json.loads(sys.argv[1])))))))
