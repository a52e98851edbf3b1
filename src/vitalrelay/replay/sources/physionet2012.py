"""
Records of the PhysioNet challenge 2012: ``*.txt``, one line per measurement.

Not sent: SaO2, which is a laboratory value of arterial blood; what describes the stay as a whole.
"""

import re
from collections.abc import Iterator
from typing import Final

from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.packets import Signal, WirePacket, write_packet
from vitalrelay.replay.sources.records import (
    MINUTE_MS,
    TIME_ZERO_MS,
    Column,
    Record,
    Unreadable,
    as_one_ward,
    open_records,
)
from vitalrelay.replay.sources.source import Census

SITE: Final = "physionet-2012"
HEADING: Final = "Time,Parameter,Value"
CLOCK: Final = re.compile(r"([0-9]{2,3}):([0-5][0-9])")
PARAMETERS: Final = {
    "HR": Column("heart_rate", "/min"),
    "RespRate": Column("respiratory_rate", "/min"),
    "NISysABP": Column("systolic_bp", "mm[Hg]"),
    "NIDiasABP": Column("diastolic_bp", "mm[Hg]"),
    "NIMAP": Column("mean_bp", "mm[Hg]"),
    "SysABP": Column("arterial_systolic_bp", "mm[Hg]"),
    "DiasABP": Column("arterial_diastolic_bp", "mm[Hg]"),
    "MAP": Column("arterial_mean_bp", "mm[Hg]"),
    "Temp": Column("temperature", "Cel"),
    "FiO2": Column("fio2", "1"),
    "GCS": Column("gcs_total", "{score}"),
}


def read_physionet2012(name: str, census: Census) -> Iterator[WirePacket]:
    """Raises WrongUsage before the first packet if a file is missing or is something else."""
    records = open_records(name, "*.txt", SITE)
    for record in records:
        if record.heading.strip() != HEADING:
            raise WrongUsage(f"{record.path}: not a record of the PhysioNet challenge 2012")
    return as_one_ward(_packets(record, census) for record in records)


def _packets(record: Record, census: Census) -> Iterator[WirePacket]:
    """One packet for all that was measured in the same minute."""
    minutes: dict[int, list[Signal]] = {}
    for line in record.lines:
        census.rows += 1
        try:
            minute, signal = _row(line)
        except Unreadable:
            census.unreadable += 1
            continue
        if signal is None:
            census.without_signal += 1
        else:
            minutes.setdefault(minute, []).append(signal)
    for minute, signals in sorted(minutes.items()):
        yield write_packet(record.origin, TIME_ZERO_MS + minute * MINUTE_MS, signals)


def _row(line: str) -> tuple[int, Signal | None]:
    cells = line.split(",")
    clock = CLOCK.fullmatch(cells[0])
    if clock is None or len(cells) != 3:
        raise Unreadable
    column = PARAMETERS.get(cells[1])
    minute = int(clock[1]) * 60 + int(clock[2])
    return minute, column.signal(cells[2]) if column else None
