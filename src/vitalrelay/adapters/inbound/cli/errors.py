"""
How a command ends when it cannot do what was asked: one line on stderr, and a status.

    CommandFailed
    ├── NotFine       1  the thing asked about is not fine
    ├── WrongUsage    2  the command is wrong, or a setting or file that it names
    └── CannotStart   3  something could not be started or reached
"""

from typing import ClassVar


class CommandFailed(Exception):
    """Not done. The message is one line for whoever typed the command."""

    exit_status: ClassVar[int]


class NotFine(CommandFailed):
    """The thing asked about is not fine."""

    exit_status = 1


class WrongUsage(CommandFailed):
    """The command is wrong, or a setting or file that it names."""

    exit_status = 2


class CannotStart(CommandFailed):
    """Something could not be started or reached."""

    exit_status = 3
