"""What PostgreSQL and Valkey have in common: started, watched and stopped in the same way."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from vitalrelay.embedded.account import Account
from vitalrelay.embedded.errors import EmbeddedServerError, ServerDidNotStart
from vitalrelay.embedded.lock import lock
from vitalrelay.embedded.loopback import a_free_port, is_free
from vitalrelay.embedded.programs import Wheel
from vitalrelay.embedded.runner import Runner

START_WITHIN_SECONDS = 90.0
STOP_WITHIN_SECONDS = 30.0
POLL_SECONDS = 0.02


class EmbeddedServer(ABC):
    """
    A server on loopback, with its log and its files in one directory, made when missing.

    Root's servers run as `nobody`, or as the owner of the files they find. The rights of existing
    directories stay as they are, also where that account cannot pass the parents of the files.
    """

    name: ClassVar[str]
    wheel: ClassVar[Wheel]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.log = self.directory / "server.log"
        self._log_began = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, with the password if it has one; known after the first start."""

    @property
    @abstractmethod
    def files(self) -> Path:
        """The directory that belongs to the server's account; the server runs inside."""

    @property
    def pid(self) -> int | None:
        """The server's process; None while there is none."""
        return self._process.pid if self._process and self.alive() else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """
        Return when the server answers; at once if it runs already.

        After it was killed, this brings it back on the same port, with its data. On Linux it stops
        when the thread that started it ends, however that came about: use one that lives on.
        Raises AlreadyRunning, ServerDidNotStart, WheelMissing.
        """
        if self.alive():
            return
        try:
            self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._process = self._begin()
        except (OSError, LookupError) as error:
            raise self._failure(str(error)) from error
        self._await_answer(self._process)

    def stop(self) -> None:
        """Ask it to stop and wait; kill it only if that takes too long."""
        if self._process is None or not self.alive():
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _begin(self) -> subprocess.Popen[bytes]:
        held = lock(self.directory / "lock", dying=self._process is not None)
        try:
            if self.port and not is_free(self.port):
                raise self._failure(f"port {self.port} is taken")
            account = Account.for_files(self.files)
            runner = Runner(account, self.wheel.programs_for(account), self.log, held)
            self._log_began = self.log.stat().st_size if self.log.exists() else 0
            if not self.files.exists():
                self._make_files(runner)
            self.port = self.port or a_free_port()
            return runner.begin(self._command(account), self.files, self.stop_signal)
        finally:
            os.close(held)

    def _make_files(self, runner: Runner) -> None:
        """All of them or none: a start that was interrupted here begins anew."""
        fresh = self.files.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        runner.account.make_directory(fresh)
        self._fill(fresh, runner)
        fresh.rename(self.files)
        sync(self.directory)

    @abstractmethod
    def _fill(self, fresh: Path, runner: Runner) -> None:
        """What the server must find in its directory when it starts there for the first time."""

    @abstractmethod
    def _command(self, account: Account) -> list[str]:
        """The server's program and its options."""

    @abstractmethod
    def _answers(self, pid: int) -> bool:
        """Whether this very process takes requests."""

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_WITHIN_SECONDS
        try:
            while not self._answers(process.pid):
                if process.poll() is not None:
                    raise self._failure(self._last_words())
                if time.monotonic() > deadline:
                    raise self._failure(f"no answer within {START_WITHIN_SECONDS:.0f} s")
                time.sleep(POLL_SECONDS)
        except BaseException:
            self.stop()
            raise

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_began)
            lines = log.read().decode(errors="replace").splitlines()
        return next((line for line in reversed(lines) if "fatal" in line.lower()), "it ended")

    def _failure(self, reason: str) -> EmbeddedServerError:
        return ServerDidNotStart(f"{self.name} did not start: {reason}; its log is {self.log}")


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
