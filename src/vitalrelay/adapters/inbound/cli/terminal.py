"""What is said where: the answer on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping

from vitalrelay.adapters.inbound.cli.errors import NotFine, WrongUsage
from vitalrelay.domain.errors import Refused, TryAgain


def say(line: str) -> None:
    sys.stderr.write(f"vitalrelay: {line}\n")


def answer(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def answer_json(schema: str, document: Mapping[str, object]) -> None:
    """The one document of a command that was called with --json."""
    answer(json.dumps({"schema": f"vitalrelay-{schema}/1", **document}))


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def confirm(question: str, *, yes: bool, silent: bool) -> None:
    """Raises WrongUsage where there is nobody to ask, NotFine if the answer is no."""
    if yes:
        return
    if silent or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise WrongUsage("there is nobody to ask; --yes says yes beforehand")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotFine("nothing was changed")


def explained(error: Exception) -> tuple[str, int]:
    """An error in one line, with the exit status that it stands for."""
    if isinstance(error, TryAgain):
        cause = f" ({error.cause})" if error.cause else ""
        return f"{error}{cause}", 3
    if isinstance(error, Refused):
        return str(error), 1
    status = getattr(error, "exit_status", None)
    if status is not None:
        return str(error), status
    return f"unexpected {type(error).__name__}; vitalrelay --verbose shows where from", 3
