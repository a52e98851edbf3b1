"""An API in a process of its own, its two servers behind wires that a test may cut."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2

from tests.integration.http.packets import a_packet
from vitalrelay.embedded.loopback import a_free_port

ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1"
SOON_S = 20.0

Line = dict[str, Any]


@dataclass
class Wire:
    """
    A TCP relay in a thread of its own.

    ``cut`` is used once: the direction, and the bytes at which the connection is cut, before
    they are passed on. While ``silent``, what is sent is lost, and nobody hangs up.
    """

    upstream: tuple[str, int]
    port: int = field(default_factory=a_free_port)
    cut: tuple[str, bytes] | None = None
    silent: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @classmethod
    def to(cls, url: str) -> "Wire":
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        return cls((address.hostname, address.port))

    def within(self, url: str) -> str:
        """The same address, by way of this wire."""
        address = urlsplit(url)
        login, at, _ = address.netloc.rpartition("@")
        return address._replace(netloc=f"{login}{at}{HOST}:{self.port}").geturl()

    def up(self) -> None:
        self._run(self._up())

    def down(self) -> None:
        """Refuse whoever connects, and reset whoever is connected."""
        self._run(self._down())

    @contextmanager
    def is_down(self) -> Iterator[None]:
        self.down()
        try:
            yield
        finally:
            self.up()

    @contextmanager
    def is_silent(self) -> Iterator[None]:
        """A link that is half open; whoever used it has to connect again afterwards."""
        self.silent = True
        try:
            yield
        finally:
            self.silent = False
            self.down()
            self.up()

    def __enter__(self) -> "Wire":
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._run(self._gone())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(SOON_S)

    async def _up(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset()

    async def _gone(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._pass("up", reader, back), self._pass("down", there, writer))
        self._writers -= {writer, back}

    async def _pass(
        self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while piece := await reader.read(65_536):
                if self.cut is not None and self.cut[0] == direction and self.cut[1] in piece:
                    self.cut = None
                    self._reset()
                    return
                if not self.silent:
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


@dataclass
class Api:
    """What a test sees of it: an address, a process, and every line it said so far."""

    process: "subprocess.Popen[str]"
    port: int
    postgres: Wire
    redis: Wire
    said: list[Line] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=60)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.raw.append(line)
            self.said.append(json.loads(line))

    async def all_said(self) -> list[Line]:
        """Everything up to now: what was asked last is also heard of last."""
        mark = uuid4().hex
        async with connected(self) as wire:
            await wire.send(f"GET /x HTTP/1.1\r\nHost: h\r\nX-Request-ID: {mark}\r\n\r\n".encode())
        await until(lambda: any(line.get("requestId") == mark for line in self.said))
        return list(self.said)

    async def is_ready(self, **how: str) -> None:
        async with self.client() as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/readyz", params=how)).status_code == 200
                except httpx2.TransportError:
                    assert self.process.poll() is None, self.raw
                    return False

            await until_true(ready)

    async def works(self) -> None:
        """Whatever was cut: connections of before are noticed by whoever uses them next."""
        async with self.client() as client:

            async def stores() -> bool:
                answer = await client.post("/v1/signal-packets", json=a_packet())
                return answer.status_code == 201

            await until_true(stores)
        await self.is_ready()

    def memory(self, name: str) -> int:
        """``VmRSS`` now or ``VmHWM`` at its highest, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    def forget_highest_memory(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@contextmanager
def serving(database_url: str, redis_url: str, **settings: str) -> Iterator[Api]:
    """Started, but perhaps not ready yet."""
    port = a_free_port()
    with Wire.to(database_url) as postgres, Wire.to(redis_url) as redis:
        environment = os.environ | {
            "DATABASE_URL": postgres.within(database_url),
            "REDIS_URL": redis.within(redis_url),
            **settings,
        }
        command = [sys.executable, "-m", "vitalrelay", "api", "--port", str(port)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            api = Api(process, port, postgres, redis)
            listener = Thread(target=api.listen)
            listener.start()
            try:
                yield api
            finally:
                process.terminate()
                listener.join()


async def until(happened: Callable[[], bool]) -> None:
    """In another process or thread: there is nothing to wait for but the sight of it."""
    deadline = monotonic() + SOON_S
    while not happened():
        assert monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


async def until_true(asked: Callable[[], Any]) -> None:
    deadline = monotonic() + SOON_S
    while not await asked():
        assert monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.02)


@dataclass
class Answer:
    """As it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def head(self) -> Answer:
        """Status and headers; interim answers are passed over."""
        async with asyncio.timeout(SOON_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        status = int(first.split()[1])
        if status == 100:
            return await self.head()
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(status, headers, b"")

    async def chunk(self) -> bytes:
        """The next one of a chunked body; empty at its end."""
        async with asyncio.timeout(SOON_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self) -> Answer:
        answer = await self.head()
        if answer.headers.get("transfer-encoding") == "chunked":
            while chunk := await self.chunk():
                answer.body += chunk
        else:
            length = int(answer.headers.get("content-length", 0))
            async with asyncio.timeout(SOON_S):
                answer.body = await self.reader.readexactly(length)
        return answer

    async def rest(self) -> bytes:
        """Until the server closes."""
        async with asyncio.timeout(SOON_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Connection]:
    """A bare connection, for what no client would send."""
    reader, writer = await asyncio.open_connection(HOST, api.port, limit=1 << 24)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()
