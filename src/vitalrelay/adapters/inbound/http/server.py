"""The HTTP server: one process on a shared port, no wait without an end, drained at the end."""

import asyncio
import resource
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from vitalrelay.adapters.inbound.http.snapshot_stream import ENDLESS

HEAD_DEADLINE_S = 10.0
MAX_HEAD_BYTES = 32_768
MAX_HEADERS = 100
BACKLOG = 2048
SENT_AHEAD_BYTES = 131_072  # the kernel would keep megabytes, and a slow screen show what was
UNHEARD_S = 30  # until who vanished without a word is given up, instead of a quarter of an hour
MOST_FILES = 65_536


class DeadlineProtocol(HttpToolsProtocol):
    """
    Closes a connection that sends no complete request head in time, or takes no answer for too
    long: the server never would.
    """

    write_deadline_s = 10.0

    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None  # the others wait for their turn
    _head_bytes = 0
    _began_here = False
    _said_everything = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # never another kind
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_DEADLINE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._began_here = False
        super().data_received(data)
        # What came before it in the same piece may be the body of another request.
        if self._deadline is not None and not self._began_here:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS or len(name) + len(value) > MAX_HEAD_BYTES:
            raise ValueError("the parser turns this into 400")

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a bool
        """Who has said everything still hears the answer; who has not is gone."""
        self._said_everything = True
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete and not cycle.more_body
        return answering and not self._endless

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if self._said_everything and last:
            self.transport.close()

    def _refuse(self) -> None:
        if not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._began_here = 0, True
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self.transport.abort)

    def on_headers_complete(self) -> None:
        self._calm()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        # Not to be closed: that would wait for as long until the rest is sent.
        self._write_deadline = self.loop.call_later(self.write_deadline_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._calm_writing()
        super().resume_writing()

    def shutdown(self) -> None:
        """Who does not listen to an answer without an end will not hear its end either."""
        if self._endless and self._write_deadline is not None:
            self.transport.abort()
        super().shutdown()

    @property
    def _endless(self) -> bool:
        answered = self._answered
        return (
            answered is not None
            and not answered.response_complete
            and ENDLESS in answered.scope["state"]
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self._calm_writing()
        if self._answered is not None and self._answered is not self.cycle:
            # The server tells only the last who asked.
            self._answered.disconnected = not self._answered.response_complete
            self._answered.message_event.set()
        super().connection_lost(exc)

    def _calm_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _calm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def shared_socket(host: str, port: int) -> socket.socket:
    """Several processes may listen on one port; the kernel spreads the connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Whoever is accepted has these, too.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_AHEAD_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_S * 1000)
    listening.bind((host, port))
    listening.listen(BACKLOG)
    return listening


class DrainingServer(uvicorn.Server):
    """Streams end first: what has no end of its own must not hold up the drain."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.feed.close()
        await super().shutdown(sockets)


def serve(app: FastAPI, host: str, port: int, drain_timeout_s: float) -> None:
    """
    Serve until SIGTERM or SIGINT, then answer what was accepted, and return.

    Raises OSError if the port is not to be had.
    """
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(drain_timeout_s),
        timeout_keep_alive=75,
    )
    # The server raises the signal once more when it is done: by then there is nothing left to do.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _already_done)
    allow_many_connections()
    DrainingServer(config, app).run(sockets=[shared_socket(host, port)])


def allow_many_connections() -> None:
    """Each is an open file; of those, shells allow a thousand unless they are asked."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _already_done(_signal: int, _frame: FrameType | None) -> None:
    return None
