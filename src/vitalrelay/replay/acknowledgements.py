"""The acknowledgement log: what a client may hold against the server afterwards."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from vitalrelay.replay.attempt import Attempt
from vitalrelay.replay.clock import Clock
from vitalrelay.replay.errors import LogNotWritten, WrongUsage


class AcknowledgementLog:
    """Only ever added to: what an earlier run was promised stays promised."""

    def __init__(self, file: FileIO | None, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    def record(self, attempts: Iterable[Attempt]) -> None:
        """Once this returns, the operating system has the lines. Raises LogNotWritten."""
        if self._file is None:
            return
        lines = b"".join(self._line(attempt) for attempt in attempts)
        try:
            written = self._file.write(lines)
        except OSError as error:
            raise LogNotWritten(f"acknowledgement log: {error.strerror}") from None
        if written != len(lines):
            raise LogNotWritten("acknowledgement log: the disk is full")

    def _line(self, attempt: Attempt) -> bytes:
        packet = attempt.sending.packet
        entry = {
            "packetId": packet.packet_id,
            "subjectId": packet.subject_id,
            "attempt": attempt.number,
            "sentAtMs": self._clock.wall_ms(attempt.sent),
            "answeredAtMs": self._clock.wall_ms(attempt.reply.at),
            "status": attempt.reply.status,
            "outcome": attempt.reply.outcome,
            "part": attempt.sending.part.value,
        }
        return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


@contextmanager
def acknowledgement_log(path: Path | None, clock: Clock) -> Iterator[AcknowledgementLog]:
    """Without a path nothing is recorded. Raises WrongUsage if the file cannot be opened."""
    if path is None:
        yield AcknowledgementLog(None, clock)
        return
    try:
        file = FileIO(path, "a")
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None
    with file:
        yield AcknowledgementLog(file, clock)
