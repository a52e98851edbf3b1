"""What the published ICU records have in common: one patient per file, hours since admission."""

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from heapq import merge
from pathlib import Path
from typing import Final, NamedTuple

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import Origin, Signal, WirePacket

TIME_ZERO_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS


class Unreadable(ValueError):
    """This row of a record says nothing that could be sent."""


class Column(NamedTuple):
    """What a measurement of a record is called here."""

    code: str
    unit: str

    def signal(self, cell: str) -> Signal:
        """The value as the file spells it, however implausible. Raises Unreadable for no number."""
        return Signal(self.code, str(number(cell)), self.unit)


class Record(NamedTuple):
    """One file: whose it is, its heading and the lines below it."""

    path: Path
    origin: Origin
    heading: str
    lines: list[str]


def number(cell: str) -> Decimal:
    """Raises Unreadable for what is no finite number."""
    try:
        value = Decimal(cell)
    except InvalidOperation:
        raise Unreadable from None
    if not value.is_finite():
        raise Unreadable
    return value


def open_records(name: str, pattern: str, site: str) -> list[Record]:
    """The file ``name``, or all files of that directory. Raises WrongUsage if there are none."""
    directory = Path(name)
    paths = sorted(directory.glob(pattern)) if directory.is_dir() else [directory]
    if not paths:
        raise WrongUsage(f"{name}: there is no {pattern} in this directory")
    return [_open(path, site) for path in paths]


def _open(path: Path, site: str) -> Record:
    origin = Origin(site=site, device=f"icu-{path.stem}", subject=f"pn-{path.stem}")
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None
    return Record(path, origin, lines[0] if lines else "", lines[1:])


def as_one_ward(beds: Iterable[Iterator[WirePacket]]) -> Iterator[WirePacket]:
    """All records side by side, in the order of time."""
    return merge(*beds, key=lambda packet: packet.timestamp_ms or 0)
