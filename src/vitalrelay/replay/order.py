"""A replay as it is ordered on a command line, made into a plan."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vitalrelay.replay.disturbance import Disturbance
from vitalrelay.replay.errors import WrongUsage
from vitalrelay.replay.pacing import AsFastAsPossible, Pace, Rate, Speed
from vitalrelay.replay.patience import Patience
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.sources.catalogue import Format, Wanted, open_source
from vitalrelay.replay.target import Target, gateway_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The options, by their names."""

    source: str
    url: str
    format: str | None
    rate: float | None
    speed: float | None
    as_fast_as_possible: bool
    connections: int
    batch: int
    duplicates: float
    shuffle: float
    corrupt: float
    seed: int
    packets: int | None
    duration: float | None
    start: str | None
    give_up_after: float
    timeout: float
    ack_log: Path | None
    max_p99_ms: float | None
    credentials: Path | None
    report: Path | None
    json: bool

    def __post_init__(self) -> None:
        if self.report is None:
            return
        if not self.report.parent.is_dir() or self.report.is_dir():
            raise WrongUsage(f"{self.report}: no file can be written there")

    def plan(self) -> Plan:
        """Raises WrongUsage, in one line, for whatever cannot be done."""
        disturbance = Disturbance(
            duplicates=self.duplicates,
            shuffle_s=self.shuffle,
            corrupt=self.corrupt,
            seed=self.seed,
        )
        token = None if self.credentials is None else gateway_token(self.credentials)
        return Plan(
            target=Target.at(self.url, token),
            source=open_source(self._wanted(), disturbance),
            disturbance=disturbance,
            patience=Patience(self.give_up_after, self.timeout),
            connections=self.connections,
            batch=self.batch,
            packets=self.packets,
            duration_s=self.duration,
            ack_log=self.ack_log,
            max_p99_ms=self.max_p99_ms,
        )

    def _wanted(self) -> Wanted:
        return Wanted(
            name=self.source,
            format=_format(self.format),
            pace=self._pace(),
            start_ms=None if self.start is None else _milliseconds(self.start),
        )

    def _pace(self) -> Pace | None:
        asked: list[Pace] = []
        if self.rate is not None:
            asked.append(Rate(self.rate))
        if self.speed is not None:
            asked.append(Speed(self.speed))
        if self.as_fast_as_possible:
            asked.append(AsFastAsPossible())
        if len(asked) > 1:
            raise WrongUsage("--rate, --speed and --as-fast-as-possible exclude each other")
        return asked[0] if asked else None


def _format(name: str | None) -> Format | None:
    if name is None:
        return None
    if name not in list(Format):
        raise WrongUsage(f"--format {name}: it is one of {', '.join(Format)}")
    return Format(name)


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(f"--start {text}: a time is like 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise WrongUsage(f"--start {text}: a time without a zone can be any; add Z for UTC")
    return int(moment.timestamp() * 1000)
