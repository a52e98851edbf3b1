"""
One HTTP/1.1 connection: a request at a time, and what came back of its answer.

An answer counts as complete when its length or its last chunk says so. One that ends only because
the connection ended cannot be told from one that was cut, and is not complete.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from vitalrelay.replay.target import Target


@dataclass(slots=True)
class Answer:
    """As far as it came; status 0: nobody answered. ``pieces``: the body, and when each came."""

    sent_at: float
    ended_at: float = 0.0
    status: int = 0
    complete: bool = False
    retry_after_s: float | None = None
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)


class Connection(asyncio.Protocol):
    """Lives as long as its socket. Whoever asks it while it is busy has made a mistake."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer = Answer(0.0)
        self._waiting: asyncio.Future[Answer] | None = None
        self.heard_at = 0.0
        self.usable = False

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        assert self._waiting is None
        self._waiting = self._loop.create_future()
        self.heard_at = perf_counter()
        self._answer = Answer(self.heard_at)
        self._transport.write(request)
        return self._waiting

    def abort_if_silent_since(self, moment: float) -> None:
        """Give up an answer of which nothing was heard since then."""
        if self._waiting is not None and self.heard_at < moment:
            self.abort()

    def abort(self) -> None:
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        self.heard_at = perf_counter()
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._end()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._answer.retry_after_s = _seconds(value.decode("latin-1"))

    def on_body(self, body: bytes) -> None:
        self._answer.pieces.append((self.heard_at, body))

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self._answer.status = status
        self._answer.complete = True
        if self._waiting is None or not self._parser.should_keep_alive():
            self.usable = False
            self._transport.close()
        self._end()

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        self._answer.ended_at = perf_counter()
        waiting.set_result(self._answer)


class Lane:
    """A connection that is made again whenever it is needed and gone; the address is asked anew."""

    def __init__(self, target: Target, patience_s: float) -> None:
        self._target = target
        self._patience_s = patience_s
        self._connection: Connection | None = None

    async def connect(self) -> Connection:
        """Raises OSError, of which TimeoutError is one, if nobody is there."""
        if self._connection is None or not self._connection.usable:
            async with asyncio.timeout(self._patience_s):
                _, self._connection = await asyncio.get_running_loop().create_connection(
                    Connection, self._target.host, self._target.port
                )
        return self._connection

    async def exchange(self, request: bytes) -> Answer:
        """Never raises: what went wrong is an answer that did not come."""
        asked_at = perf_counter()
        try:
            connection = await self.connect()
        except OSError:
            return Answer(asked_at, perf_counter())
        return await connection.exchange(request)

    def abort_if_silent_since(self, moment: float) -> None:
        if self._connection is not None:
            self._connection.abort_if_silent_since(moment)

    def close(self) -> None:
        if self._connection is not None and self._connection.usable:
            self._connection.abort()


def _seconds(retry_after: str) -> float | None:
    """A number of seconds, or a date; None for anything else."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
