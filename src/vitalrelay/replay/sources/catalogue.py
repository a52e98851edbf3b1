"""Which source a name means, and how it is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.pacing import AsFastAsPossible, Pace, Rate, Speed
from vitalrelay.replay.packets import WirePacket
from vitalrelay.replay.sources.ndjson import STDIN, read_ndjson
from vitalrelay.replay.sources.physionet2012 import read_physionet2012
from vitalrelay.replay.sources.physionet2019 import read_physionet2019
from vitalrelay.replay.sources.source import Census, Source
from vitalrelay.replay.sources.ward import (
    CADENCE_S,
    WARD,
    Ward,
    moments_as_they_come,
    moments_from,
    now_ms,
)

LATE_LINES_S: Final = 60.0


class Format(StrEnum):
    """What can be read."""

    NDJSON = "ndjson"
    PHYSIONET2019 = "physionet2019"
    PHYSIONET2012 = "physionet2012"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """``format`` None: whatever the name looks like. ``start_ms`` is for wards that are made up."""

    name: str
    format: Format | None = None
    pace: Pace | None = None
    start_ms: int | None = None


def open_source(wanted: Wanted, disturbance: Disturbance) -> Source:
    """Raises WrongUsage before anything is sent if this cannot be read, or not in this way."""
    kind = wanted.format or guess(wanted.name)
    if kind is Format.SYNTHETIC:
        return _ward(wanted, disturbance)
    if wanted.start_ms is not None:
        raise WrongUsage("--start is for a ward that is made up: a file has its own times")
    census = Census()
    is_ndjson = kind is Format.NDJSON
    return Source(
        name=wanted.name,
        format=kind,
        packets=_read(kind, wanted.name, census),
        census=census,
        pace=wanted.pace or AsFastAsPossible(),
        late_by_s=LATE_LINES_S if is_ndjson else 0.0,
        may_block=is_ndjson and wanted.name == STDIN,
    )


def guess(name: str) -> Format:
    """By its ending, by what is in the directory; a number, or name:number, is a ward."""
    path = Path(name)
    if WARD.fullmatch(name) and not path.exists():
        return Format.SYNTHETIC
    if path.suffix == ".psv" or (path.is_dir() and any(path.glob("*.psv"))):
        return Format.PHYSIONET2019
    if path.suffix == ".txt" or path.is_dir():
        return Format.PHYSIONET2012
    return Format.NDJSON


def _read(kind: Format, name: str, census: Census) -> Iterator[WirePacket]:
    match kind:
        case Format.NDJSON:
            return read_ndjson(name, census)
        case Format.PHYSIONET2019:
            return read_physionet2019(name, census)
        case Format.PHYSIONET2012:
            return read_physionet2012(name, census)
        case Format.SYNTHETIC:
            raise WrongUsage(f"{name}: a ward that is made up is not read")
        case _:
            assert_never(kind)


def _ward(wanted: Wanted, disturbance: Disturbance) -> Source:
    """
    With a start, a ward has its own past and is paced like a file. Without one it is live: what it
    says happens when it is sent, so the pace decides how often patients are measured.
    """
    ward = Ward.named(wanted.name)
    pace = wanted.pace or Speed()
    if wanted.start_ms is not None:
        moments = moments_from(wanted.start_ms, CADENCE_S * 1000 / ward.patients)
    elif isinstance(pace, AsFastAsPossible):
        if disturbance.shuffle_s:
            raise WrongUsage("--shuffle as fast as possible needs --start: now is always in order")
        moments = moments_as_they_come()
    else:
        moments = moments_from(now_ms(), _spacing_ms(pace, ward, disturbance))
        pace = Speed()
    packets = ward.packets(moments, disturbance.seed)
    return Source(
        name=wanted.name,
        format=Format.SYNTHETIC,
        packets=packets,
        pace=pace,
        asked=wanted.pace,
    )


def _spacing_ms(pace: Rate | Speed, ward: Ward, disturbance: Disturbance) -> float:
    match pace:
        case Rate(per_second):
            return 1000 * disturbance.sendings_per_packet / per_second
        case Speed(factor):
            return CADENCE_S * 1000 / ward.patients / factor
        case _:
            assert_never(pace)
