"""The port that our API processes share, and nobody else."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vitalrelay.adapters.inbound.cli.errors import CannotStart

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with, not bound to


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @property
    def near_host(self) -> str:
        """Where we find it ourselves."""
        return WILDCARDS.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = f"[{self.near_host}]" if ":" in self.near_host else self.near_host
        return f"http://{host}:{self.port}"


@contextmanager
def held_address(host: str, port: int) -> Iterator[Address]:
    """
    Hold the port without listening on it; port 0 takes a free one. Raises CannotStart.

    Two installations that share a port would share their requests, which the kernel allows to one
    user: so it is first asked for alone.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as alone, socket.socket(family) as holding:
        try:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            alone.close()
            holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holding.bind((host, port))
        except OSError as error:
            raise CannotStart(f"cannot listen on {host}, port {port}: {error.strerror}") from None
        yield Address(host, holding.getsockname()[1])
