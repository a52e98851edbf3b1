"""A ward as a table: risk as word, shape and colour; what is old or missing is said aloud."""

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from vitalrelay.adapters.inbound.cli.work.ward_feed import Look, Snapshot

OLD_S: Final = 60.0
FRESH_S: Final = 10.0
WIDE: Final = 120
IN_A_NARROW_ONE: Final = 4

RISKS: Final = {
    "high": ("▲ high", "bold white on red"),
    "medium": ("◆ medium", "bold black on yellow"),
    "low-medium": ("◇ low-medium", "yellow"),
    "low": ("● low", "green"),
    "unknown": ("? unknown", "bold magenta"),
}
VITALS: Final = {
    "heart_rate": ("HR", "/min"),
    "respiratory_rate": ("RR", "/min"),
    "spo2": ("SpO₂", "%"),
    "systolic_bp": ("BP", "mmHg"),
    "temperature": ("T", "°C"),
    "supplemental_oxygen": ("O₂", ""),
    "consciousness": ("ACVPU", ""),
}
OVER: Final = "cleared_unacknowledged"
ALARM_SHAPES: Final = {"high": "▲", "medium": "◆", "low": "◇"}


def ward_table(look: Look, rows: int, width: int) -> Table:
    """The first ``rows`` patients, one line each, and how many are left out."""
    codes = list(VITALS)[: None if width >= WIDE else IN_A_NARROW_ONE]
    table = Table("patient", "risk", "score", box=None, expand=True, caption=omitted(look, rows))
    for name, unit in (VITALS[code] for code in codes):
        table.add_column(f"{name}\n{unit}", justify="right", no_wrap=True)
    table.add_column("version", justify="right")
    table.add_column("alarms", no_wrap=True, overflow="ellipsis", ratio=1)
    for snapshot in look.patients[:rows]:
        vitals = (vital(snapshot, code, look.at_ms) for code in codes)
        patient, version = snapshot["subjectId"], str(snapshot["version"])
        table.add_row(patient, risk(snapshot), score(snapshot), *vitals, version, alarms(snapshot))
    return table


def omitted(look: Look, rows: int) -> str | None:
    count = len(look.patients) - rows
    return f"and {count} more, less urgent" if count > 0 else None


def risk(snapshot: Snapshot) -> Text:
    word, style = RISKS[(snapshot["assessment"] or {}).get("riskLevel", "unknown")]
    return Text(word, style)


def score(snapshot: Snapshot) -> Text:
    """``7``; or ``5-8 partial``, and what would have to be known to be sure."""
    assessment: Mapping[str, Any] = snapshot["assessment"] or {}
    if assessment.get("score") is None:
        return Text("nothing known", "magenta")
    if assessment["completeness"] == "complete":
        return Text(f"{assessment['score']}")
    bounds = f"{assessment['score']}-{assessment['scoreUpperBound']}"
    missing = " ".join(VITALS.get(name, (name,))[0] for name in assessment["missing"])
    return Text(f"{bounds} {assessment['completeness']}, no {missing}", "magenta")


def vital(snapshot: Snapshot, code: str, now_ms: int) -> Text:
    """The value; with its age once that is worth a thought, and louder when it is old."""
    found = snapshot["vitals"].get(code)
    if found is None:
        return Text("-", "dim")
    text = in_words(found["value"], code) + ("" if found["quality"] == "good" else "?")
    age_s = max(now_ms - found["measuredAtMs"], 0) / 1000
    if age_s < FRESH_S:
        return Text(text)
    return Text(f"{text} ({spoken(age_s)})", "dim" if age_s < OLD_S else "bold magenta")


def in_words(value: object, code: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if code == "temperature" else str(value)


def alarms(snapshot: Snapshot) -> Text:
    """Those that are true now by name; the others are as many as still wait for somebody."""
    lasting = [alarm for alarm in snapshot["alarms"] if alarm["state"] != OVER]
    words = [
        f"{ALARM_SHAPES[alarm['priority']]} {alarm['condition']}"
        + ("" if alarm["state"] == "active" else f" ({alarm['state']})")
        for alarm in lasting
    ]
    if over := len(snapshot["alarms"]) - len(lasting):
        words.append(f"{over} over, not acknowledged")
    return Text(", ".join(words))


def spoken(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds < 120 else f"{seconds / 60:.0f}min"
