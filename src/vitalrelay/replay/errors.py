"""
Why a replay cannot go on. The message is one line for the person who asked for it.

    CannotReplay
    ├── WrongUsage     the command is wrong, or what it names is
    ├── NotReached     nobody answers at the target
    └── LogNotWritten  acknowledgements can no longer be recorded
"""

from typing import ClassVar


class CannotReplay(Exception):
    """This replay cannot be done."""

    exit_status: ClassVar[int] = 1


class WrongUsage(CannotReplay):
    """The command is wrong, or what it names is."""

    exit_status = 2


class NotReached(CannotReplay):
    """Nobody answers at the target."""

    exit_status = 3


class LogNotWritten(CannotReplay):
    """What is acknowledged can no longer be recorded, so nothing more may be sent."""
