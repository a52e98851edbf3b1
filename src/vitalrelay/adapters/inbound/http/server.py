"""The HTTP server: one process on a shared port, no wait without an end, drained at the end."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_DEADLINE_S = 10.0
MAX_HEAD_BYTES = 32_768
MAX_HEADERS = 100
BACKLOG = 2048


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection that sends no complete request head in time: the server never would."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _began_here = False
    _said_everything = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
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
        return cycle is not None and not cycle.response_complete and not cycle.more_body

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

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

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
    listening.bind((host, port))
    listening.listen(BACKLOG)
    return listening


def serve(app: ASGIApp, host: str, port: int, drain_timeout_s: float) -> None:
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
    uvicorn.Server(config).run(sockets=[shared_socket(host, port)])


def _already_done(_signal: int, _frame: FrameType | None) -> None:
    return None
