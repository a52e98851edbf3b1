"""A process tells whoever started it that it works: a byte through a pipe, once."""

import os
from contextlib import suppress

READY_FD = "VITALRELAY_READY_FD"


def announce() -> None:
    """To the descriptor that the environment names; where it names none, nobody waits for it."""
    descriptor = os.environ.pop(READY_FD, "")
    if not descriptor.isdecimal():
        return
    with suppress(OSError):
        os.write(int(descriptor), b"\n")
        os.close(int(descriptor))


class Announcement:
    """The other end. A process that ends without a word is never ready."""

    def __init__(self) -> None:
        self._hears, self.speaks = os.pipe()
        os.set_blocking(self._hears, False)
        self._came = False

    def came(self) -> bool:
        if not self._came:
            with suppress(BlockingIOError):
                self._came = os.read(self._hears, 1) != b""
        return self._came

    def started(self) -> None:
        """The process has its end; ours of it would hide that it is gone."""
        os.close(self.speaks)

    def close(self) -> None:
        os.close(self._hears)
