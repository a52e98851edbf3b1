"""
One server per directory.

The lock is an open file that the server inherits. It lasts as long as any process of that server,
also those that a killed one leaves behind for a moment, and needs nobody to clean it up.
"""

import fcntl
import os
import time
from pathlib import Path

from vitalrelay.embedded.errors import AlreadyRunning

DYING_SECONDS = 10.0
LIVING_SECONDS = 1.0
POLL_SECONDS = 0.02


def lock(path: Path, *, dying: bool) -> int:
    """
    The descriptor to hand on. `dying` says that the holder, if any, is what remains of a server.

    The remains are waited for, also those of a supervisor that lives no longer. Raises
    AlreadyRunning when the holder has a living supervisor, or will not go.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    began = time.monotonic()
    while not locked(descriptor):
        supervisor = int(os.pread(descriptor, 20, 0) or 0)
        patience = DYING_SECONDS if dying or not lives(supervisor) else LIVING_SECONDS
        if time.monotonic() - began > patience:
            os.close(descriptor)
            raise AlreadyRunning(f"already running: process {supervisor} has {path.parent}")
        time.sleep(POLL_SECONDS)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not is_zombie(process)


def is_zombie(process: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False  # there is no /proc on macOS
