"""Valkey from a wheel: what it was told is found again by the next start."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from vitalrelay.embedded.account import Account
from vitalrelay.embedded.loopback import HOST
from vitalrelay.embedded.programs import VALKEY
from vitalrelay.embedded.runner import Runner
from vitalrelay.embedded.server import EmbeddedServer

DEFAULTS = {
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
}
FIXED = {"bind": HOST, "protected-mode": "yes", "daemonize": "no", "dir": "."}


class EmbeddedValkey(EmbeddedServer):
    """`extra` are Valkey's own settings, as in its file; no password. Port 0 takes a free one."""

    name = "Valkey"
    wheel = VALKEY
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(directory, port)
        self.extra = extra

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    @property
    def files(self) -> Path:
        return self.directory / "data"

    def _fill(self, fresh: Path, runner: Runner) -> None:
        """Nothing: Valkey begins with an empty directory."""

    def _command(self, account: Account) -> list[str]:
        settings = DEFAULTS | dict(self.extra) | FIXED | {"port": str(self.port)}
        command = ["valkey-server"]
        for name, value in settings.items():
            command += [f"--{name}", *(value.split() or [""])]
        return command

    def _answers(self, pid: int) -> bool:
        """Not while it still loads, and not for a stranger who took the port before us."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\nINFO server\r\n")
                answer = connection.recv(65536)
        except OSError:
            return False
        return answer.startswith(b"+PONG") and b"\r\nprocess_id:%d\r\n" % pid in answer
