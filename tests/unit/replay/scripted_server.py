"""A real little HTTP server that does what a test wants: answer, refuse, stall, hang up."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

Answer = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def packet(self) -> dict:
        return json.loads(self.body)

    @property
    def lines(self) -> list[bytes]:
        return self.body.splitlines()


@dataclass
class Served:
    """What the server has seen so far."""

    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Served]:
    served = Served("")

    async def talk(reader, writer):
        served.connections += 1
        try:
            while True:
                served.requests.append(await _request(reader))
                served.in_flight += 1
                served.most_in_flight = max(served.most_in_flight, served.in_flight)
                try:
                    await answer(served.requests[-1], writer)
                    await writer.drain()
                finally:
                    served.in_flight -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield served


@contextmanager
def serving_beside(answer: Answer) -> Iterator[Served]:
    """The same in a thread of its own, for whoever needs the main thread for a loop."""
    ready, box = Event(), []

    async def serve():
        async with serving(answer) as served:
            box.extend([served, asyncio.get_running_loop(), asyncio.Event()])
            ready.set()
            await box[2].wait()

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield box[0]
    finally:
        box[1].call_soon_threadsafe(box[2].set)
        thread.join()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(first.split(" ")[1], headers, body)


def http(status: int, content: object, *headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def receipt(outcome: str = "stored") -> bytes:
    return http(201 if outcome == "stored" else 200, {"outcome": outcome, "packetId": "a:b:1"})


def refusal(status: int, slug: str, *headers: str) -> bytes:
    return http(status, {"type": f"/problems/{slug}", "status": status}, *headers)


def says(*answers: bytes) -> Answer:
    """One after the other, the last one for ever."""
    left = list(answers)

    async def answer(_, writer):
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def hangs_up_within(answer_bytes: bytes, after: int) -> Answer:
    """So many bytes of an answer, and then nobody."""

    async def answer(_, writer):
        writer.write(answer_bytes[:after])
        await writer.drain()
        writer.close()

    return answer


def first(once: Answer, then: Answer) -> Answer:
    asked = []

    async def answer(request, writer):
        asked.append(request)
        await (once if len(asked) == 1 else then)(request, writer)

    return answer
