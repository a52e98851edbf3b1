"""How packets are offered: connections, one request at a time on each, and when each is due."""

import asyncio
import random
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import count
from math import ceil, inf
from time import perf_counter
from typing import cast

from httptools import HttpResponseParser

from bench.load import packet
from vitalrelay.replay.target import ONE_PACKET, Target

GRACE_S = 9.0  # for what is still unanswered at the end
AT_ONCE = 500
TICK_S = 0.001
SOMETIME_MS = 1_000_000_000_000  # as many digits as the moment that takes its place


class Gateway(asyncio.Protocol):
    """One connection, one patient, one request at a time."""

    def __init__(self, offering: "Offering", patient: int, requests: Iterator[bytes]) -> None:
        self._offering = offering
        self._requests = requests
        self.patient = patient
        self._parser = HttpResponseParser(self)
        self._body = b""
        self.due: float | None = None  # while it waits for an answer

    def ask(self, due: float) -> None:
        self.due = due
        self._transport.write(next(self._requests))

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        due, self.due = self.due, None
        body, self._body = self._body, b""
        assert due is not None, "an answer that nobody asked for"
        self._offering.answered(self._parser.get_status_code(), body, due)
        if self._parser.should_keep_alive():
            self._offering.is_free(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._offering.lost(self)


class Offering:
    """
    ``sent`` is also the number of the next: what is due first is sent first.

    ``rate``: requests a second; None: all of them are due at once.
    """

    def __init__(
        self, target: Target, requests: "RequestsOf", seconds: float, rate: float | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._requests = requests
        self._seconds = seconds
        self._rate = rate or inf
        self._most = seconds * self._rate
        self._gateways: set[Gateway] = set()
        self._free: deque[Gateway] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._started = inf
        self._ended = False
        self.stored = [0] * ceil(seconds)
        self.stored_late = 0
        self.others: Counter[str] = Counter()
        self.took_ms = array("d")
        self.sent = 0

    @property
    def unsent(self) -> int:
        return 0 if self._rate == inf else max(0, ceil(self._most) - self.sent)

    @property
    def unanswered(self) -> int:
        return sum(gateway.due is not None for gateway in self._gateways)

    async def connect(self, connections: int) -> None:
        """Some at a time, so that none is turned away."""
        for begin in range(0, connections, AT_ONCE):
            some = range(begin, min(begin + AT_ONCE, connections))
            await asyncio.gather(*(self._open(patient) for patient in some))

    async def run(self) -> None:
        self._started = perf_counter()
        while perf_counter() < self._started + self._seconds:
            self._send_what_is_due()
            await asyncio.sleep(TICK_S)
        self._send_what_is_due()
        self._ended = True

    async def hear_the_rest(self) -> None:
        for _ in range(round(GRACE_S * 10)):
            if self.unanswered == 0:
                return
            await asyncio.sleep(0.1)

    def close(self) -> None:
        for gateway in list(self._gateways):
            gateway.close()

    def answered(self, status: int, body: bytes, due: float) -> None:
        now = perf_counter()
        if status != 201:
            slug = body.partition(b"/problems/")[2].partition(b'"')[0]
            self.others[f"{status} {slug.decode() or 'and no problem document'}"] += 1
            return
        self.took_ms.append((now - due) * 1000)
        second = int(now - self._started)
        if second < len(self.stored) and not self._ended:
            self.stored[second] += 1
        else:
            self.stored_late += 1

    def is_free(self, gateway: Gateway) -> None:
        if self._is_due():
            self._ask(gateway)
        else:
            self._free.append(gateway)

    def lost(self, gateway: Gateway) -> None:
        """Whoever hung up, somebody else connects."""
        self._gateways.discard(gateway)
        if gateway in self._free:
            self._free.remove(gateway)
        if gateway.due is not None:
            self.others["0 cut"] += 1
        if not self._ended:
            task = self._loop.create_task(self._open(gateway.patient))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _send_what_is_due(self) -> None:
        while self._free and self._is_due():
            self._ask(self._free.popleft())

    def _is_due(self) -> bool:
        passed = min(perf_counter() - self._started, self._seconds)
        return not self._ended and self.sent < self._most and self.sent <= passed * self._rate

    def _ask(self, gateway: Gateway) -> None:
        due = perf_counter() if self._rate == inf else self._started + self.sent / self._rate
        self.sent += 1
        gateway.ask(due)

    async def _open(self, patient: int) -> None:
        requests = self._requests(patient)
        _, gateway = await self._loop.create_connection(
            lambda: Gateway(self, patient, requests), self._target.host, self._target.port
        )
        self._gateways.add(gateway)
        self.is_free(gateway)


RequestsOf = Callable[[int], Iterator[bytes]]


def requests(target: Target) -> RequestsOf:
    """Of a patient without an end, each a new packet: only its moments are written into it."""
    run = time.time_ns()
    chance, head = random.Random(run), target.head(ONE_PACKET)
    moments = count(run // 1_000_000 - 86_400_000)

    def of(patient: int) -> Iterator[bytes]:
        body = packet(f"gateway-{patient}-{run}", patient, SOMETIME_MS, chance)
        rendered, sometime = head + b"%d\r\n\r\n%b" % (len(body), body), b"%d" % SOMETIME_MS
        for now_ms in moments:
            yield rendered.replace(sometime, b"%d" % now_ms)

    return of
