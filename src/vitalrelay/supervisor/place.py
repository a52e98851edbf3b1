"""The data directory: one `up` at a time, and what others may read there."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vitalrelay.adapters.inbound.cli.errors import CannotStart
from vitalrelay.embedded import EmbeddedServerError
from vitalrelay.embedded.lock import lock

PIDS = "pids.json"
READY = "ready.json"


@dataclass(frozen=True, slots=True)
class Place:
    """``lock`` is an open file. Who inherits it still belongs to this start."""

    directory: Path
    lock: int

    @property
    def metrics(self) -> Path:
        return self.directory / "metrics"

    def write_pids(self, pids: dict[str, object]) -> None:
        """Whole or not at all, whoever reads it at the same time."""
        fresh = self.directory / f"{PIDS}.new"
        fresh.write_text(json.dumps({"supervisor": os.getpid(), **pids}) + "\n")
        fresh.rename(self.directory / PIDS)

    def write_ready(self, ready: dict[str, object]) -> None:
        """There are passwords in it: for our own eyes, for as long as it is true."""
        with open(self.directory / READY, "w", opener=private) as file:
            file.write(json.dumps(ready) + "\n")

    def clear(self) -> None:
        for name in (READY, PIDS):
            (self.directory / name).unlink(missing_ok=True)

    def empty_metrics(self) -> Path:
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir()
        return self.metrics

    def bury(self, pid: int) -> None:
        """What a dead process says of its present is not true any more; its counts still are."""
        for gauges in self.metrics.glob(f"gauge_live*_{pid}.db"):
            gauges.unlink(missing_ok=True)


@contextmanager
def held(directory: Path) -> Iterator[Place]:
    """Raises CannotStart if it is in use, or is no place for us."""
    directory = directory.absolute()
    try:
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        descriptor = lock(directory / "lock", dying=False)
    except OSError as error:
        raise CannotStart(f"{directory}: {error.strerror}") from None
    except EmbeddedServerError as error:
        raise CannotStart(str(error)) from None
    place = Place(directory, descriptor)
    place.clear()
    try:
        yield place
    finally:
        place.clear()
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)
