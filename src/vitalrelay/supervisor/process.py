"""Our own commands as processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from vitalrelay.embedded.account import Account
from vitalrelay.supervisor.readiness import READY_FD, Announcement

POLL_S = 0.02


def start_process(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
    keep: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """
    ``vitalrelay`` with these arguments, in a session of its own: Ctrl-C reaches it through us.

    Where the system can do that, it gets SIGTERM when the calling thread ends. ``keep`` are
    descriptors that it inherits.
    """
    ourselves = Account(os.geteuid(), os.getegid())
    command = [sys.executable, "-P", "-m", "vitalrelay", *arguments]
    return subprocess.Popen(  # noqa: S603  our own words, no shell
        ourselves.command(command, signal.SIGTERM),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=tuple(keep),
        start_new_session=True,
    )


def _nothing(_pid: int) -> None:
    pass


class Child:
    """One of our processes; what it says goes to our stderr."""

    def __init__(
        self,
        role: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        keep: Sequence[int],
        bury: Callable[[int], None] = _nothing,
    ) -> None:
        self.role = role
        self._arguments, self._environment, self._keep = arguments, environment, keep
        self._bury = bury
        self._process: subprocess.Popen[bytes] | None = None
        self._announcement: Announcement | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.alive() else None

    @property
    def status(self) -> int | None:
        """How it ended; negative: by which signal. None while it runs."""
        return self._process.poll() if self._process else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        return self._announcement is not None and self._announcement.came()

    def start(self) -> None:
        self._forget()
        self._announcement = announcement = Announcement()
        words = sys.stderr.fileno()
        self._process = start_process(
            self._arguments,
            environment={**self._environment, READY_FD: str(announcement.speaks)},
            stdout=words,
            stderr=words,
            keep=(*self._keep, announcement.speaks),
        )
        announcement.started()

    def _forget(self) -> None:
        """What is left of the one before."""
        if self._process is not None:
            self._bury(self._process.pid)
        if self._announcement is not None:
            self._announcement.close()

    def ask_to_end(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def end(children: Sequence[Child], within_s: float) -> None:
    """All at once: asked first, killed only if that takes too long."""
    deadline = time.monotonic() + within_s
    for child in children:
        child.ask_to_end()
    while any(child.alive() for child in children) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for child in children:
        if child.alive():
            child.kill()
