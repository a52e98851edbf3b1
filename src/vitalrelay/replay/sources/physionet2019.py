"""Records of the PhysioNet challenge 2019: ``*.psv``, a row per hour, ``NaN`` for not measured."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import Origin, Signal, WirePacket, write_packet
from vitalrelay.replay.sources.records import (
    HOUR_MS,
    TIME_ZERO_MS,
    Column,
    Record,
    Unreadable,
    as_one_ward,
    number,
    open_records,
)
from vitalrelay.replay.sources.source import Census

SITE: Final = "physionet-2019"
HOURS: Final = "ICULOS"
LONGEST_STAY_H: Final = 1_000_000
NOT_MEASURED: Final = ("NaN", "")
COLUMNS: Final = {
    "HR": Column("heart_rate", "/min"),
    "O2Sat": Column("spo2", "%"),
    "Temp": Column("temperature", "Cel"),
    "SBP": Column("systolic_bp", "mm[Hg]"),
    "MAP": Column("mean_bp", "mm[Hg]"),
    "DBP": Column("diastolic_bp", "mm[Hg]"),
    "Resp": Column("respiratory_rate", "/min"),
    "FiO2": Column("fio2", "1"),
}


def read_physionet2019(name: str, census: Census) -> Iterator[WirePacket]:
    """Raises WrongUsage before the first packet if a file is missing or is something else."""
    tables = [Table.of(record) for record in open_records(name, "*.psv", SITE)]
    return as_one_ward(table.packets(census) for table in tables)


class Table(NamedTuple):
    """A record whose heading is understood."""

    origin: Origin
    lines: list[str]
    width: int
    hours: int
    measured: list[tuple[int, Column]]

    @classmethod
    def of(cls, record: Record) -> "Table":
        names = record.heading.split("|")
        measured = [(n, COLUMNS[name]) for n, name in enumerate(names) if name in COLUMNS]
        if HOURS not in names or not measured:
            raise WrongUsage(f"{record.path}: not a record of the PhysioNet challenge 2019")
        return cls(record.origin, record.lines, len(names), names.index(HOURS), measured)

    def packets(self, census: Census) -> Iterator[WirePacket]:
        for line in self.lines:
            census.rows += 1
            try:
                timestamp_ms, signals = self._row(line)
            except Unreadable:
                census.unreadable += 1
                continue
            if signals:
                yield write_packet(self.origin, timestamp_ms, signals)
            else:
                census.without_signal += 1

    def _row(self, line: str) -> tuple[int, list[Signal]]:
        cells = line.split("|")
        if len(cells) != self.width:
            raise Unreadable
        signals = [
            column.signal(cells[n]) for n, column in self.measured if cells[n] not in NOT_MEASURED
        ]
        hours = number(cells[self.hours])
        if not 0 <= hours <= LONGEST_STAY_H:
            raise Unreadable
        return TIME_ZERO_MS + int(hours * HOUR_MS), signals
