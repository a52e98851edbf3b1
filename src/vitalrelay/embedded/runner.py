"""Running the programs of a server: inside its files, under its account, into its log."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitalrelay.embedded.account import ENVIRONMENT, Account


@dataclass(frozen=True, slots=True)
class Runner:
    account: Account
    programs: Path
    log: Path
    lock: int

    def begin(
        self,
        program: Sequence[str],
        inside: Path,
        last_signal: signal.Signals,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """In a session of its own, so that Ctrl-C reaches it only through us; holds the lock."""
        name, *options = program
        with open(self.log, "ab", opener=private) as log:
            return subprocess.Popen(  # noqa: S603  our own words, no shell
                self.account.command([str(self.programs / name), *options], last_signal),
                cwd=inside,
                env=ENVIRONMENT,
                stdin=stdin,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(self.lock,),
            )

    def run(self, program: Sequence[str], inside: Path, typed: str = "") -> None:
        """To its end; raises OSError unless that was a good one."""
        with self.begin(program, inside, signal.SIGTERM, subprocess.PIPE) as process:
            process.communicate(typed.encode())
        if process.returncode != 0:
            raise ChildProcessError(f"{program[0]} ended with status {process.returncode}")


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
