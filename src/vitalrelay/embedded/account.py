"""Who the servers run as: ourselves, or an account without rights when we are root."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LAUNCH = Path(__file__).with_name("launch.py")
INHERITED = ("PATH", "LD_LIBRARY_PATH")
ENVIRONMENT = {name: os.environ[name] for name in INHERITED if name in os.environ}
ENVIRONMENT |= {"LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    uid: int
    gid: int

    @classmethod
    def for_files(cls, directory: Path) -> Self:
        """Ourselves. For root: whoever owns the files, or `nobody` while there are none."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        if directory.exists() and (owner := directory.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def command(self, program: Sequence[str], last_signal: signal.Signals) -> list[str]:
        """The program run as this account, and sent the signal when the calling thread ends."""
        orders = (os.getpid(), self.uid, self.gid, int(last_signal))
        return [sys.executable, "-I", "-S", str(LAUNCH), *map(str, orders), *program]

    def can_run(self, program: Path) -> bool:
        return self.is_ours or self._succeeds(str(program), "--version")

    def can_enter(self, directory: Path) -> bool:
        return self.is_ours or self._succeeds("/bin/sh", "-c", 'cd -- "$0"', str(directory))

    def make_directory(self, path: Path) -> None:
        """A new directory that belongs to the account, closed to all others."""
        path.mkdir(mode=0o700)
        os.chown(path, self.uid, self.gid)

    def _succeeds(self, *program: str) -> bool:
        command = self.command(program, signal.SIGKILL)
        ended = subprocess.run(  # noqa: S603  our own words, no shell
            command, cwd="/", env=ENVIRONMENT, capture_output=True, check=False
        )
        return ended.returncode == 0
