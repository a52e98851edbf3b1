"""The demo: ``vitalrelay up`` and ``vitalrelay replay`` as anybody would call them, and a table."""

import json
import math
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from vitalrelay.adapters.inbound.cli.errors import CannotStart
from vitalrelay.adapters.inbound.cli.terminal import say
from vitalrelay.adapters.inbound.cli.tools import Tools
from vitalrelay.adapters.inbound.cli.work.ward_feed import WardFeed
from vitalrelay.adapters.inbound.cli.work.ward_screen import WardScreen, screen

WARD = "ward"
HOST = "127.0.0.1"
SERVERS = ("DATABASE_URL", "REDIS_URL")
EVERY_S = 1.0
ENDS_WITHIN_S = 15.0
REPLAY_AGAIN_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    patients: int
    seconds: float | None
    data_dir: Path
    port: int
    given_servers: bool


class Ended(BaseException):
    """Somebody pressed Ctrl-C, or the time is over."""


def demo(tools: Tools, options: DemoOptions) -> None:
    """Returns when it was told to end. Raises CannotStart."""
    with ExitStack() as stack, suppress(Ended):
        stack.enter_context(ending_on_signals())
        log = stack.enter_context(open_log(options.data_dir))
        processes = Processes(tools, log, environment(options))
        stack.callback(processes.end)
        say(f"starting PostgreSQL, Redis, API and worker; what they say is in {log.name}")
        feed = WardFeed(processes.up(options), WARD, options.patients)
        processes.replay(feed.url, options.patients)
        shown = stack.enter_context(screen())
        show(shown, feed, processes, options.seconds)


def show(shown: WardScreen, feed: WardFeed, processes: "Processes", seconds: float | None) -> None:
    end = math.inf if seconds is None else time.monotonic() + seconds
    while time.monotonic() < end:
        shown.show(feed.look())
        processes.tend()
        time.sleep(max(0, min(EVERY_S, end - time.monotonic())))


class Processes:
    """What the demo started; it ends when the demo does."""

    def __init__(self, tools: Tools, log: IO[bytes], environment: Mapping[str, str]) -> None:
        self._tools, self._log, self._environment = tools, log, environment
        self._up: subprocess.Popen[bytes] | None = None
        self._replay: subprocess.Popen[bytes] | None = None
        self._order: Sequence[str] = ()
        self._again_at = 0.0

    def up(self, options: DemoOptions) -> str:
        """The API's address, once everything answers."""
        port = options.port if is_free(options.port) else 0
        where = ["--data-dir", str(options.data_dir), "--host", HOST, "--port", str(port)]
        self._up = self._start(["up", *where], subprocess.PIPE)
        assert self._up.stdout is not None
        line = self._up.stdout.readline()
        if not line:
            raise CannotStart(last_words(Path(self._log.name)))
        return str(json.loads(line)["apiUrl"])

    def replay(self, url: str, patients: int) -> None:
        source = [f"{WARD}:{patients}", "--format", "synthetic"]
        self._order = ["replay", *source, "--url", url, "--json"]
        self._replay = self._start(self._order, self._log.fileno())

    def tend(self) -> None:
        """Raises CannotStart if there is nothing left to show."""
        if self._up is not None and self._up.poll() is not None:
            raise CannotStart(last_words(Path(self._log.name)))
        if self._replay is None or self._replay.poll() is None:
            self._again_at = time.monotonic() + REPLAY_AGAIN_AFTER_S
        elif time.monotonic() > self._again_at:
            self._replay = self._start(self._order, self._log.fileno())

    def end(self) -> None:
        """The ward first: it has nowhere to send to without the others."""
        for process in (self._replay, self._up):
            if process is not None:
                process.terminate()
        for process in (self._replay, self._up):
            if process is not None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(ENDS_WITHIN_S)

    def _start(self, arguments: Sequence[str], stdout: int) -> "subprocess.Popen[bytes]":
        return self._tools.start(
            arguments, environment=self._environment, stdout=stdout, stderr=self._log.fileno()
        )


def environment(options: DemoOptions) -> Mapping[str, str]:
    if options.given_servers:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name not in SERVERS}


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextmanager
def open_log(data_dir: Path) -> Iterator[IO[bytes]]:
    path = data_dir.absolute() / "demo.log"
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        log = path.open("wb")
    except OSError as error:
        raise CannotStart(f"{path}: {error.strerror}") from None
    with log:
        yield log


def last_words(log: Path) -> str:
    """The last line that is meant for people."""
    lines = log.read_text(errors="replace").splitlines()
    spoken = [line for line in lines if line.startswith("vitalrelay: ")]
    return spoken[-1].removeprefix("vitalrelay: ") if spoken else f"it ended; see {log}"


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Once: whoever is impatient does not keep the rest from ending well."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Ended

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
