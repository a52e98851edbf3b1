"""What a run comes to: the numbers, whether they can be believed, and whether all went well."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vitalrelay.replay.answers import Fate
from vitalrelay.replay.disturbance import Part
from vitalrelay.replay.plan import Plan
from vitalrelay.replay.strain import Strain
from vitalrelay.replay.tally import EXPECTED, Tally
from vitalrelay.replay.target import VERSION

SCHEMA: Final = "vitalrelay-replay/1"


@dataclass(slots=True)
class Summary:
    """Can be read at any time; while the run is on, it says how far it got."""

    plan: Plan
    tally: Tally
    strain: Strain
    interrupted: bool = False

    @property
    def duration_s(self) -> float:
        """From the first intended send to the last answer."""
        return self.tally.ended_s

    @property
    def per_second(self) -> float:
        """Acknowledged packets."""
        return self.tally.total(Fate.ACKNOWLEDGED) / max(self.duration_s, 1e-6)

    @property
    def p99_ms(self) -> float | None:
        p99_s = self.tally.latency.percentile(99)
        return None if p99_s is None else p99_s * 1000

    @property
    def fast_enough(self) -> bool:
        """Also when nothing was asked for; never when nothing was acknowledged."""
        if self.plan.max_p99_ms is None:
            return True
        return self.p99_ms is not None and self.p99_ms <= self.plan.max_p99_ms

    @property
    def ok(self) -> bool:
        return not list(self.problems())

    def problems(self) -> Iterator[str]:
        """Everything that is not as it should be, in words."""
        tally = self.tally
        counts = {
            "packets not acknowledged": tally.disappointed(Part.ORIGINAL)
            + tally.disappointed(Part.REPEAT),
            "packets in conflict with stored ones": tally.total(Fate.CONFLICT),
            "damaged packets not refused": tally.disappointed(Part.DAMAGED),
            "rows of the source that cannot be read": self.plan.source.census.unreadable,
        }
        if not tally.planned.total():
            yield "there was nothing to send"
        yield from (f"{what}: {count:,}" for what, count in counts.items() if count)
        if not self.fast_enough:
            yield f"p99 was {_spoken(self.p99_ms)}, and {self.plan.max_p99_ms:g} ms was the limit"

    def document(self) -> dict[str, object]:
        """The whole of it, as ``--json`` prints it."""
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "problems": list(self.problems()),
            "valid": not list(self.strain.doubts()),
            "doubts": list(self.strain.doubts()),
            "interrupted": self.interrupted,
            "startedAtMs": self.tally.clock.began_at_ms,
            "durationS": round(self.duration_s, 3),
            "throughputPerS": round(self.per_second, 3),
            **self._counts(),
            "latencyMs": self.tally.latency.milliseconds(),
            "serviceMs": self.tally.service.milliseconds(),
            "slipMs": self.tally.slip.milliseconds(),
            **self._circumstances(),
            "series": [point.document() for point in self.tally.series.points(self.duration_s)],
        }

    def _counts(self) -> dict[str, object]:
        tally = self.tally
        return {
            "source": self.plan.source.census.document(),
            "planned": {part.value: tally.planned[part] for part in Part}
            | {"total": tally.planned.total()},
            "outcomes": dict(tally.all_outcomes()),
            "byPart": {
                part.value: {"expected": EXPECTED[part].value, "received": dict(received)}
                for part, received in tally.outcomes.items()
            },
            "acknowledged": tally.total(Fate.ACKNOWLEDGED),
            "refused": tally.total(Fate.REFUSED),
            "conflicts": tally.total(Fate.CONFLICT),
            "gaveUp": tally.gave_up,
            "open": tally.open,
            "attempts": {
                "total": tally.attempts.total(),
                "again": tally.again,
                "outcomes": dict(tally.attempts),
            },
        }

    def _circumstances(self) -> dict[str, object]:
        limit, p99_ms = self.plan.max_p99_ms, self.p99_ms
        return {
            "thresholds": {"maxP99Ms": {"limit": limit, "actual": p99_ms, "met": self.fast_enough}}
            if limit is not None
            else {},
            "client": {
                "cpuShare": round(self.strain.cpu_share, 3),
                "loopLagMs": self.strain.lag.milliseconds(),
            },
            "target": self.plan.target.url,
            "settings": self.plan.settings(),
            "seed": self.plan.disturbance.seed,
            "version": VERSION,
            "machine": {
                "system": platform.platform(),
                "python": platform.python_version(),
                "cores": os.cpu_count(),
            },
        }


def _spoken(milliseconds: float | None) -> str:
    return "unknown" if milliseconds is None else f"{milliseconds:.1f} ms"
